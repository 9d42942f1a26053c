//! Chat rooms: lists of members, whispers, and unique names.
//!
//! Start it, open <http://127.0.0.1:8096/> in two windows, and enter under two
//! names. Each address, such as <http://127.0.0.1:8096/rooms/kitchen>, is a
//! separate room, which exists as long as somebody is in it. The page and its
//! script are in the folder `chat_rooms` next to this file.

use std::collections::{BTreeMap, HashMap, VecDeque};
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

    signal ROOM: Say -> News = "/rooms/:room" (room: String) {
        messages_per_second: 10,
        max_message_bytes: 4096,
        max_clients: 1000,
    } => hear;
    on connect    ROOM => enter;
    on disconnect ROOM => leave;

    route GET "/"                                              => redirect "/rooms/lobby";
    route GET "/rooms/:room"                                   => view "room";
    route GET "/rooms/:room/door" (room: String, query: Guest) => knock;
}

/// Everything is kept in memory, so everything has a limit: these constants,
/// and the options above.
const MAX_NAME_CHARS: usize = 24;
const LAST_MESSAGES: usize = 20;

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

/// A message to a page: `{"news":"message","from":"Ada","text":"hi"}`.
#[derive(Clone, Serialize)]
#[serde(tag = "news", rename_all = "snake_case")]
enum News {
    Welcome { you: ClientId },
    Here { people: BTreeMap<ClientId, String> },
    Earlier { messages: VecDeque<News> },
    Message { from: String, text: String, at_ms: u128 },
    Whisper { from: String, to: String, text: String },
    Typing { from: String },
}

/// The user of a page, `?name=Ada`; kept with the client.
#[derive(Deserialize)]
struct Guest {
    name: String,
}

/// Rooms with people in them: a room is removed when the last one leaves.
type Rooms = HashMap<String, Room>;

#[derive(Default)]
struct Room {
    people: BTreeMap<ClientId, String>,
    last: VecDeque<News>,
}

/// The client gets an [`EventError`]; any other error goes to the log.
type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Admits a client, or refuses it with a status that says why.
async fn enter(event: ConnectEvent<News>, room: String) -> Result<(), EventError> {
    let guest: Guest = event.read_query()?;
    let you = event.client_id();
    event.join_group(CURIOUS);
    event.greet(&News::Welcome { you: you.clone() })?;

    let mut rooms = lock(event.state(ROOMS));
    may_enter(rooms.get(&room), &guest)?;
    // Only an admitted client triggers `leave`: nothing may fail after this.
    rooms.entry(room).or_default().people.insert(you, guest.name.clone());
    event.set_state(guest);
    Ok(())
}

/// Tells a page why it was refused, since browsers hide the answer to a
/// WebSocket handshake from pages.
async fn knock(event: WebEvent, room: String, guest: Guest) -> Result<(), EventError> {
    may_enter(lock(event.state(ROOMS)).get(&room), &guest)
}

fn may_enter(room: Option<&Room>, Guest { name }: &Guest) -> Result<(), EventError> {
    if name.trim().is_empty() || name.chars().count() > MAX_NAME_CHARS {
        let text = format!("a name has from 1 to {MAX_NAME_CHARS} characters");
        return Err(EventError::new(400, text));
    }
    let is_here = |room: &Room| room.people.values().any(|other| other == name);
    if room.is_some_and(is_here) {
        return Err(EventError::new(409, format!("somebody here is called {name} already")));
    }
    Ok(())
}

async fn leave(event: DisconnectEvent, name: String) -> Outcome {
    let mut rooms = lock(event.state(ROOMS));
    let room = rooms.entry(name.clone()).or_default();
    room.people.remove(event.client().id());
    if room.people.is_empty() {
        rooms.remove(&name);
        return Ok(());
    }
    Ok(event.try_send(ROOM.at(&name), &room.here())?)
}

async fn hear(event: SignalEvent<News>, room: String, say: Say) -> Outcome {
    match say {
        Say::Hello => introduce(&event, room),
        Say::Message { text } => talk(&event, room, text),
        Say::Whisper { to, text } => whisper(&event, room, to, text).await,
        Say::Typing => show_typing(&event, room).await,
        Say::Curious { on: true } => Ok(event.client().join_group(CURIOUS).await?),
        Say::Curious { on: false } => Ok(event.client().leave_group(CURIOUS).await?),
    }
}

/// Sends a newcomer the last messages, and everybody the list of members.
///
/// Pages request it by `hello` once they are connected: a greeting made in
/// `enter` would lack the changes between then and the moment from which the
/// client receives every message. Changes of a room are sent before the lock is
/// released, so that all clients receive them in the order in which they
/// happened. Nothing may wait under a lock, so these are sent by `try_send` and
/// `try_now`, which don't wait.
fn introduce(event: &SignalEvent<News>, name: String) -> Outcome {
    let mut rooms = lock(event.state(ROOMS));
    let room = rooms.entry(name.clone()).or_default();
    event.reply(&News::Earlier { messages: room.last.clone() }).try_now()?;
    Ok(event.try_send(ROOM.at(&name), &room.here())?)
}

fn talk(event: &SignalEvent<News>, name: String, text: String) -> Outcome {
    let at_ms = UNIX_EPOCH.elapsed()?.as_millis();
    let message = News::Message { from: name_of(event)?, text, at_ms };
    let mut rooms = lock(event.state(ROOMS));
    event.try_send(ROOM.at(&name), &message)?;
    rooms.entry(name).or_default().remember(message);
    Ok(())
}

async fn whisper(event: &SignalEvent<News>, room: String, to: ClientId, text: String) -> Outcome {
    let found = lock(event.state(ROOMS)).get(&room).and_then(|room| room.people.get(&to).cloned());
    let listener = found.ok_or_else(|| EventError::new(404, "whoever that was has left"))?;
    let whisper = News::Whisper { from: name_of(event)?, to: listener, text };
    event.send(ROOM.at(&room), &whisper).to_client(&to).await?;
    Ok(event.reply(&whisper).await?)
}

async fn show_typing(event: &SignalEvent<News>, room: String) -> Outcome {
    let typing = News::Typing { from: name_of(event)? };
    let sending = event.send(ROOM.at(&room), &typing).to_group(CURIOUS);
    Ok(sending.except(event.client().id()).await?)
}

fn name_of(event: &SignalEvent<News>) -> Result<String, EventError> {
    Ok(event.client().state::<Guest>()?.name.clone())
}

/// Locks the rooms, which are always consistent, even if a handler panicked.
fn lock(rooms: &Mutex<Rooms>) -> MutexGuard<'_, Rooms> {
    rooms.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Room {
    fn here(&self) -> News {
        News::Here { people: self.people.clone() }
    }

    fn remember(&mut self, message: News) {
        self.last.push_back(message);
        if self.last.len() > LAST_MESSAGES {
            self.last.pop_front();
        }
    }
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
        let room = |room: &str| ROOM.at(&room.to_owned());
        let mut ada = server.connect(room("kitchen")).query(&[("name", "Ada")]).await;
        let mut bob = server.connect(room("hall")).query(&[("name", "Bob")]).await;
        for client in [&mut ada, &mut bob] {
            assert_eq!(client.next_json::<Value>().await["news"], "welcome");
        }
        ada.send_json(&json!({ "say": "message", "text": "hi" })).await;
        let heard: Value = ada.next_json().await;
        assert_eq!((&heard["from"], &heard["text"]), (&json!("Ada"), &json!("hi")));
        bob.assert_silent().await;
    }

    #[tokio::test]
    async fn a_name_is_free_again_when_its_owner_has_left() {
        let server = pode::test::start(chat_rooms()).await;
        let enter = || server.connect(ROOM.at(&"hall".to_owned())).query(&[("name", "Ada")]);
        let ada = enter().await;
        let refused = enter().refused().await.assert_status(409);
        assert_eq!(refused.text(), "somebody here is called Ada already");
        ada.close().await;
        server.settle().await;
        enter().await;
    }
}
