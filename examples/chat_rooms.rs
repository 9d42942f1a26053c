//! Chat rooms: who is there and who is typing, whispers, unique names, and what was said
//! before.
//!
//! Start it, open <http://127.0.0.1:8096/> in two windows, and enter under two
//! names. Each address, such as <http://127.0.0.1:8096/rooms/kitchen>, is a
//! separate room. The page and its script are in the folder `chat_rooms` next to
//! this file.

use std::time::UNIX_EPOCH;

use pode::prelude::*;

pode_server! {
    /// Lets people talk in rooms.
    pub server chat_rooms;

    views  "examples/chat_rooms/views";
    public "examples/chat_rooms/public";

    endpoint http "127.0.0.1:8096";
    endpoint ws   "127.0.0.1:8096";

    /// Pages speak `pode.v1`, so they are told who is there, and come back after a cut to
    /// what they missed. Everything is kept in memory, so everything has a limit.
    signal ROOM: Say -> Message = "/rooms/:room" (room: String) {
        presence: 200,
        // Enough for a page to be loaded again.
        presence_grace: 10s,
        history_messages: 100,
        history_age: 1h,
        replay: Messages(20),
        messages_per_second: 10,
        max_message_bytes: 4096,
        max_clients: 1000,
    } => hear;
    on connect ROOM => enter;

    route GET "/"            => redirect "/rooms/lobby";
    route GET "/rooms/:room" => view "room";
}

const MAX_NAME_CHARS: usize = 24;

/// A message from a page: `{"say":"message","text":"hi"}`.
#[derive(Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
enum Say {
    Message { text: String },
    Whisper { to: ClientId, text: String },
    Typing { on: bool },
}

/// What was said in a room, by whom, and to whom if that isn't everyone.
#[derive(Serialize)]
struct Message {
    from: String,
    to: Option<String>,
    text: String,
    at_ms: u128,
}

/// Somebody in a room, as all others see them. A page enters as `?name=Ada`.
#[derive(Deserialize, Serialize)]
struct Person {
    name: String,
    #[serde(default)]
    is_typing: bool,
}

/// The client gets an [`EventError`]; any other error goes to the log.
type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Admits a client, or refuses it with a sentence that the page shows.
/// Of two who enter by one name in the same moment, both may be let in.
async fn enter(event: ConnectEvent<Message>, room: String) -> Outcome {
    let person: Person = event.read_query()?;
    let Person { name, .. } = &person;
    if name.trim().is_empty() || name.chars().count() > MAX_NAME_CHARS {
        let text = format!("a name has from 1 to {MAX_NAME_CHARS} characters");
        return Err(EventError::new(400, text).into());
    }
    // Who comes back by its ticket has its id again, and may still be there.
    let you = event.client_id();
    let people: Vec<(_, Person)> = event.clients(ROOM.at(&room)).present()?;
    if people.iter().any(|(id, other)| *id != you && other.name == *name) {
        let text = format!("somebody here is called {name} already");
        return Err(EventError::new(409, text).into());
    }
    event.present(&person)?;
    event.set_state(name.clone());
    Ok(())
}

async fn hear(event: SignalEvent<Message>, room: String, say: Say) -> Outcome {
    let from = event.client().state::<String>()?.clone();
    let at_ms = UNIX_EPOCH.elapsed()?.as_millis();
    match say {
        Say::Message { text } => {
            event.send(ROOM.at(&room), &Message { from, to: None, text, at_ms }).await?;
        }
        Say::Whisper { to, text } => {
            let listener: Option<Person> = event.clients(ROOM.at(&room)).present_client(&to)?;
            let Some(Person { name, .. }) = listener else {
                return Err(EventError::new(404, "whoever that was has left").into());
            };
            let whisper = Message { from, to: Some(name), text, at_ms };
            event.send(ROOM.at(&room), &whisper).to_client(&to).await?;
            event.reply(&whisper).await?;
        }
        Say::Typing { on } => {
            event.client().present(&Person { name: from, is_typing: on }).await?;
        }
    }
    Ok(())
}

fn main() -> pode::Result {
    pode::log_to_terminal();
    chat_rooms().run_blocking()
}

#[cfg(test)]
mod tests {
    use pode::FamilyPath;
    use serde_json::{Value, json};

    use super::*;

    fn room(name: &str) -> FamilyPath<Message, Say> {
        ROOM.at(&name.to_owned())
    }

    fn person(name: &str) -> Person {
        Person { name: name.to_owned(), is_typing: false }
    }

    #[tokio::test]
    async fn a_message_stays_in_its_room() {
        let server = pode::test::start(chat_rooms()).await;
        let enter = |name, at| server.connect(room(at)).query(&[("name", name)]);
        let ada = enter("Ada", "kitchen").await;
        let (mut kitchen, mut hall) = (enter("Bob", "kitchen").await, enter("Ada", "hall").await);
        ada.send_json(&json!({ "say": "message", "text": "hi" })).await;
        // Who comes later hears it, too.
        kitchen.next_text().await;
        let heard: Value = enter("Cid", "kitchen").await.next_json().await;
        assert_eq!((&heard["from"], &heard["text"]), (&json!("Ada"), &json!("hi")));
        hall.assert_silent().await;
    }

    #[tokio::test]
    async fn a_whisper_is_for_one() {
        let server = pode::test::start(chat_rooms()).await;
        let enter = |name| server.connect(room("hall")).query(&[("name", name)]);
        let (mut ada, mut bob, mut cid) =
            (enter("Ada").await, enter("Bob").await, enter("Cid").await);
        ada.send_json(&json!({ "say": "whisper", "to": bob.id(), "text": "psst" })).await;
        for client in [&mut ada, &mut bob] {
            let heard: Value = client.next_json().await;
            assert_eq!((&heard["from"], &heard["to"]), (&json!("Ada"), &json!("Bob")));
        }
        cid.assert_silent().await;
    }

    #[tokio::test]
    async fn a_name_is_free_again_when_its_owner_has_left() {
        let server = pode::test::start(chat_rooms()).await;
        let enter = || server.connect(room("hall")).query(&[("name", "Ada")]);
        let ada = enter().protocol_v1().await;
        let refused = enter().refused().await.assert_status(409);
        assert_eq!(refused.text(), "somebody here is called Ada already");
        ada.close().await;
        server.settle().await;
        enter().await;
    }

    #[tokio::test]
    async fn who_is_cut_off_and_comes_back_has_never_left() {
        let server = pode::test::start(chat_rooms()).await;
        let enter = |name| server.connect(room("hall")).query(&[("name", name)]);
        let (mut ada, mut bob) =
            (enter("Ada").protocol_v1().await, enter("Bob").protocol_v1().await);
        for _ in 0..20 {
            ada.cut();
            enter("Ada").refused().await.assert_status(409);
            ada.come_back().await;
        }
        ada.send_json(&json!({ "say": "typing", "on": true })).await;
        let typing = Person { is_typing: true, ..person("Ada") };
        bob.until_present(&[typing, person("Bob")]).await;
    }
}
