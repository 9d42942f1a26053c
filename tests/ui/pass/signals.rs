//! Signals: valid code that is close to a mistake.

#![deny(warnings)]

use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws 8091;
    // PODE060, PODE061: one that is left out; another path.
    signal CHAT: String = "/";
    #[cfg(any())]
    signal CHAT: u32 = "/";
    signal TALK: String = "/talk";
    // PODE062, PODE063: a type that contains an arrow of its own; two types.
    signal FUNCTIONS: std::marker::PhantomData<fn(u8) -> u8> = "/functions";
    signal QUESTIONS: String -> u64 = "/questions" => answer;
    signal LOUD: String -> String = "/loud" => async |event, message| event.reply(&message.to_uppercase()).await;
    // PODE039: what is sent may be borrowed.
    #[allow(dead_code, reason = "that nobody sends is advice, too")]
    signal WORDS: &'static str = "/words";
    // PODE064: the least capacity; and words of options that need no `use`.
    signal PRICES: f64 = "/prices" { on_lag: Latest };
    signal NEWS: Vec<(u8, String)> = "/news" { capacity_messages: 1 };
    // PODE117: as many as are kept; what isn't written as a number is not judged.
    #[allow(dead_code, reason = "nobody sends")]
    signal RATES: f64 = "/rates" { history_messages: 20, history_age: 1min, replay: Messages(20) };
    #[allow(dead_code, reason = "nobody sends")]
    signal BIDS: f64 = "/bids" { history_messages: kept(), replay: Messages(50) };
    #[allow(dead_code, reason = "nobody sends")]
    signal ASKS: f64 = "/asks" { replay: Replay::OnlyNew, on_lag: OnLag::Latest, origins: Origins::OwnPages };
    // PODE118: at the widest level; whatever is a text, or a part of what is sent.
    signal SCORES: Score = "/scores" { history_messages: 20, latest_by: |score| &score.player };
    signal BOARD: Score -> Score = "/board" {
        history_messages: 20,
        replay: All,
        latest_by: |score: &Score| -> u64 { score.points / 10 },
    } => async |event, score| event.send(BOARD, &score).await;
    signal GAME: (u8, String) = "/games/:game" (game: u32) {
        history_messages: 20,
        latest_by: |(place, name)| format!("{place} {name}"),
    };
    signal PLAYERS: Score = "/players" { history_messages: 20, latest_by: Score::player };
    signal LOGGED: &'static str = "/logged" { history_messages: 20, latest_by: |text| text.len() };
    // PODE119: of whomever is told; what isn't written as a number is not judged.
    #[allow(dead_code, reason = "nobody sends")]
    signal HALL: String = "/hall" { presence: 200, presence_grace: 30s };
    #[allow(dead_code, reason = "nobody sends")]
    signal YARD: String = "/yard" { presence: kept(), presence_grace: 30s };
    // PODE065: a port that is the scheme's default; a list that is known only
    // at run time.
    signal SHOP: String = "/shop" { origins: pages_of(["https://Shop.example:443", "app://."]) };
    signal SHOPS: String = "/shops" { origins: pages_of(shops()) };
    // PODE066, PODE067, PODE068, PODE069: the widest level, which may be named;
    // and one that is as wide as the option.
    signal WALL: Vec<u8> -> Vec<u8> = "/wall" { level: Name, rebroadcast: Anyone } => rebroadcast;
    signal NOTES: u8 -> u8 = "/notes" { level: Group, rebroadcast: OwnGroups } => rebroadcast;
    // A handler named `rebroadcast` is given by its path.
    signal ECHO: String -> String = "/echo" => self::rebroadcast;
    signal DIRECT: String = "/direct" { level: Client };
}

#[derive(Serialize, Deserialize)]
struct Score {
    player: String,
    points: u64,
}

impl Score {
    fn player(&self) -> &str {
        &self.player
    }
}

#[allow(dead_code)]
async fn forget(event: TimerEvent) -> Result<(), SendError> {
    event.remove(SCORES, "Ada").await?;
    event.remove(BOARD, &7).await?;
    event.signals().remove(GAME.at(&1), &String::from("2 Ada")).await
}

/// Types of signals in signatures of the user.
#[allow(dead_code)]
async fn say<S>(signals: &pode::Signals, signal: S, text: &str) -> Result<(), SendError>
where
    S: pode::SignalTarget<Out = String, Level = pode::level::Name>,
{
    signals.send(signal, &text.to_owned()).await
}

#[allow(dead_code)]
struct Room(pode::FamilyPath<String>);

fn kept() -> usize {
    50
}

fn shops() -> Vec<String> {
    vec!["shop.example/".to_owned()]
}

async fn answer(event: SignalEvent<u64>, message: String) -> Result<(), SendError> {
    event.send(QUESTIONS, &(message.len() as u64)).await
}

async fn rebroadcast(_: SignalEvent<String>, _: String) {}

#[test]
fn can_be_made() {
    let _ = (example(), CHAT, TALK, FUNCTIONS, QUESTIONS, PRICES, NEWS, SHOP, SHOPS);
    let _ = (LOUD, WALL, NOTES, ECHO, DIRECT, PLAYERS, LOGGED);
}

mod secrets {
    use super::*;

    pode_server! {
        // PODE057: a secret that is no literal.
        server signing(secret: String) { client_ids: signed_by(secret).strict() };
        endpoint ws 8091;
        signal CHAT: String = "/";
        on connect CHAT => async |_| ();
    }

    pode_server! {
        /// Advice can be silenced.
        #[allow(deprecated)]
        server silenced { client_ids: signed_by("0123456789abcdef0123456789abcdef") };
        endpoint ws 8091;
        #[allow(dead_code)]
        signal NEWS: String = "/";
    }

    #[test]
    fn can_be_made() {
        let _ = (signing("0123456789abcdef0123456789abcdef".to_owned()), silenced());
    }
}
