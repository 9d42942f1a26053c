//! Chat rooms: lists of members, whispers, unique names, and what was said before.
//!
//! Start it, open <http://127.0.0.1:8096/> in two windows, and enter under two
//! names. Each address, such as <http://127.0.0.1:8096/rooms/kitchen>, is a
//! separate room. The page and its script are in the folder `chat_rooms` next to
//! this file.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use pode::prelude::*;

pode_server! {
    /// Lets people talk in rooms.
    pub server chat_rooms;

    views  "examples/chat_rooms/views";
    public "examples/chat_rooms/public";

    endpoint http "127.0.0.1:8096";
    endpoint ws   "127.0.0.1:8096";

    state ROOMS: Mutex<Rooms> = Mutex::default();

    /// What is said. Newcomers get the last of it, so nothing else goes here.
    signal ROOM: Message = "/rooms/:room" (room: String) {
        history_messages: 20,
        history_age: 1h,
        replay: Messages(20),
        max_clients: 1000,
    };

    /// Who is there. A client is somebody with a name, and says things.
    signal PEOPLE: Say -> News = "/rooms/:room/people" (room: String) {
        messages_per_second: 10,
        max_message_bytes: 4096,
        max_clients: 1000,
    } => hear;
    on connect    PEOPLE => enter;
    on disconnect PEOPLE => leave;

    route GET "/"                                              => redirect "/rooms/lobby";
    route GET "/rooms/:room"                                   => view "room";
    route GET "/rooms/:room/door" (room: String, query: Guest) => knock;
}

/// Everything is kept in memory, so everything has a limit: this one, and the
/// options above.
const MAX_NAME_CHARS: usize = 24;

/// The group of clients that want to see who is typing.
const CURIOUS: &str = "curious";

/// A message from a page: `{"say":"message","text":"hi"}`.
#[derive(Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
enum Say {
    Hello,
    Message { text: String },
    Whisper { to: ClientId, text: String },
    Typing,
    Curious { on: bool },
}

/// What was said to everyone in a room.
#[derive(Serialize)]
struct Message {
    from: String,
    text: String,
    at_ms: u128,
}

/// Anything else that a page is told: `{"news":"typing","from":"Ada"}`.
#[derive(Serialize)]
#[serde(tag = "news", rename_all = "snake_case")]
enum News {
    Welcome { you: ClientId },
    Here { people: People },
    Whisper { from: String, to: String, text: String },
    Typing { from: String },
}

/// The user of a page, `?name=Ada`; kept with the client.
#[derive(Deserialize)]
struct Guest {
    name: String,
}

/// Those in a room.
type People = BTreeMap<ClientId, Person>;

/// Somebody in a room; pages get the name.
#[derive(Clone, Default, Serialize)]
#[serde(transparent)]
struct Person {
    name: String,
    /// A client that comes back as the same may enter before its older connection has
    /// left.
    #[serde(skip)]
    connections: usize,
}

/// Rooms with people in them: a room is removed when the last one leaves.
type Rooms = HashMap<String, People>;

/// The client gets an [`EventError`]; any other error goes to the log.
type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Admits a client, or refuses it with a status that says why.
async fn enter(event: ConnectEvent<News>, room: String) -> Result<(), EventError> {
    let guest: Guest = event.read_query()?;
    let you = event.client_id();
    event.join_group(CURIOUS);
    event.greet(&News::Welcome { you: you.clone() })?;

    let mut rooms = lock(event.state(ROOMS));
    may_enter(rooms.get(&room), &guest, Some(&you))?;
    // Only an admitted client triggers `leave`: nothing may fail after this.
    let person = rooms.entry(room).or_default().entry(you).or_default();
    person.name.clone_from(&guest.name);
    person.connections += 1;
    event.set_state(guest);
    Ok(())
}

/// Tells a page why it was refused, since browsers hide the answer to a
/// WebSocket handshake from pages.
async fn knock(event: WebEvent, room: String, guest: Guest) -> Result<(), EventError> {
    may_enter(lock(event.state(ROOMS)).get(&room), &guest, None)
}

fn may_enter(
    people: Option<&People>,
    Guest { name }: &Guest,
    you: Option<&ClientId>,
) -> Result<(), EventError> {
    if name.trim().is_empty() || name.chars().count() > MAX_NAME_CHARS {
        let text = format!("a name has from 1 to {MAX_NAME_CHARS} characters");
        return Err(EventError::new(400, text));
    }
    let mut others = people.into_iter().flatten().filter(|(id, _)| Some(*id) != you);
    if others.any(|(_, other)| other.name == *name) {
        return Err(EventError::new(409, format!("somebody here is called {name} already")));
    }
    Ok(())
}

async fn leave(event: DisconnectEvent, room: String) -> Outcome {
    let mut rooms = lock(event.state(ROOMS));
    let people = rooms.entry(room.clone()).or_default();
    if let Some(person) = people.get_mut(event.client().id()) {
        person.connections -= 1;
    }
    people.retain(|_, person| person.connections > 0);
    if people.is_empty() {
        rooms.remove(&room);
        return Ok(());
    }
    Ok(event.try_send(PEOPLE.at(&room), &News::Here { people: people.clone() })?)
}

async fn hear(event: SignalEvent<News>, room: String, say: Say) -> Outcome {
    match say {
        Say::Hello => introduce(&event, room),
        Say::Message { text } => talk(&event, room, text).await,
        Say::Whisper { to, text } => whisper(&event, room, to, text).await,
        Say::Typing => show_typing(&event, room).await,
        Say::Curious { on: true } => Ok(event.client().join_group(CURIOUS).await?),
        Say::Curious { on: false } => Ok(event.client().leave_group(CURIOUS).await?),
    }
}

/// Sends everybody the list of members, as a newcomer has come.
///
/// Pages request it by `hello` once they are connected: a greeting made in
/// `enter` would lack the changes between then and the moment from which the
/// client receives every message. Changes of a room are sent before the lock is
/// released, so that all clients receive them in the order in which they
/// happened. Nothing may wait under a lock, so these are sent by `try_send`, which
/// doesn't wait.
fn introduce(event: &SignalEvent<News>, room: String) -> Outcome {
    let rooms = lock(event.state(ROOMS));
    let people = rooms.get(&room).cloned().unwrap_or_default();
    Ok(event.try_send(PEOPLE.at(&room), &News::Here { people })?)
}

async fn talk(event: &SignalEvent<News>, room: String, text: String) -> Outcome {
    let at_ms = UNIX_EPOCH.elapsed()?.as_millis();
    let message = Message { from: name_of(event)?, text, at_ms };
    Ok(event.send(ROOM.at(&room), &message).await?)
}

async fn whisper(event: &SignalEvent<News>, room: String, to: ClientId, text: String) -> Outcome {
    let found = lock(event.state(ROOMS)).get(&room).and_then(|people| people.get(&to).cloned());
    let Person { name: listener, .. } =
        found.ok_or_else(|| EventError::new(404, "whoever that was has left"))?;
    let whisper = News::Whisper { from: name_of(event)?, to: listener, text };
    event.send(PEOPLE.at(&room), &whisper).to_client(&to).await?;
    Ok(event.reply(&whisper).await?)
}

async fn show_typing(event: &SignalEvent<News>, room: String) -> Outcome {
    let typing = News::Typing { from: name_of(event)? };
    let sending = event.send(PEOPLE.at(&room), &typing).to_group(CURIOUS);
    Ok(sending.except(event.client().id()).await?)
}

fn name_of(event: &SignalEvent<News>) -> Result<String, EventError> {
    Ok(event.client().state::<Guest>()?.name.clone())
}

/// Locks the rooms, which are always consistent, even if a handler panicked.
fn lock(rooms: &Mutex<Rooms>) -> MutexGuard<'_, Rooms> {
    rooms.lock().unwrap_or_else(PoisonError::into_inner)
}

fn main() -> pode::Result {
    pode::log_to_terminal();
    chat_rooms().run_blocking()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn a_message_stays_in_its_room() {
        let server = pode::test::start(chat_rooms()).await;
        let listen = |room: &str| server.connect(ROOM.at(&room.to_owned()));
        let ada = server.connect(PEOPLE.at(&"kitchen".to_owned())).query(&[("name", "Ada")]);
        let ada = ada.await;
        let (mut kitchen, mut hall) = (listen("kitchen").await, listen("hall").await);
        ada.send_json(&json!({ "say": "message", "text": "hi" })).await;
        // Who comes later hears it, too.
        kitchen.next_text().await;
        let heard: Value = listen("kitchen").await.next_json().await;
        assert_eq!((&heard["from"], &heard["text"]), (&json!("Ada"), &json!("hi")));
        hall.assert_silent().await;
    }

    #[tokio::test]
    async fn a_name_is_free_again_when_its_owner_has_left() {
        let server = pode::test::start(chat_rooms()).await;
        let enter = || server.connect(PEOPLE.at(&"hall".to_owned())).query(&[("name", "Ada")]);
        let ada = enter().await;
        let refused = enter().refused().await.assert_status(409);
        assert_eq!(refused.text(), "somebody here is called Ada already");
        ada.close().await;
        server.settle().await;
        enter().await;
    }

    /// Whether its older connection has left by then or not.
    #[tokio::test]
    async fn who_comes_back_as_the_same_is_there() {
        let server = pode::test::start(chat_rooms()).await;
        let enter = || server.connect(PEOPLE.at(&"hall".to_owned())).query(&[("name", "Ada")]);
        let mut ada = enter().protocol_v1().await;
        for _ in 0..20 {
            ada.come_back().await;
        }
        server.settle().await;
        enter().refused().await.assert_status(409);
    }
}
