//! A node, in a process of its own: passes on what it is told to, and tells its parent
//! what it has handled.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pode::prelude::*;
use pode::{Clients, Protocol};

use crate::child;

/// How often the timer fires, on one of the nodes.
pub(crate) const EACH: Duration = Duration::from_secs(2);

/// For how long a client that was cut off is present: so short that who is away is gone,
/// and that a node is taken for gone that is stopped for some 20 seconds.
pub(crate) const GRACE: Duration = Duration::from_millis(900);

/// As whom a client is present, if it is.
#[derive(Deserialize)]
struct As {
    name: Option<String>,
}

/// A message of a client.
#[derive(Deserialize)]
struct Say {
    who: String,
    number: u64,
}

pode_server! {
    /// The server under test.
    server chaos(redis: String, name: String) { send_timeout: 5s };
    backplane redis redis;
    endpoint inner http "127.0.0.1:0";
    endpoint ws "127.0.0.1:0";
    operations { endpoint: inner };

    state NAME: String = name.clone();
    state HANDLED: AtomicU64 = AtomicU64::new(0);

    // Kept for longer than a client may be away.
    signal NEWS: String = "/news" { history_messages: 20_000, heartbeat: 5s };
    signal ROOM: String = "/rooms/:room" (room: u32) { history_messages: 20_000, heartbeat: 5s, presence: 200, presence_grace: GRACE };
    on connect ROOM => async |event, _room: u32| attend(&event);
    timer "tick" every EACH { on: OneNode } => tick;

    signal CHAT: Say -> String = "/chat" { history_messages: 20_000, heartbeat: 5s, presence: 200, presence_grace: GRACE } => hear;
    on connect CHAT => async |event| attend(&event);

    route POST "/send/news" (body: String) => async |event: WebEvent, text: String| {
        outcome(event.send(NEWS, &text).await)
    };
    route POST "/send/chat" (body: String) => async |event: WebEvent, text: String| {
        outcome(event.send(CHAT, &text).await)
    };
    route POST "/send/rooms/:room" (room: u32, body: String) => async |event: WebEvent, room: u32, text: String| {
        outcome(event.send(ROOM.at(&room), &text).await)
    };

    route GET "/present/chat" => async |event: WebEvent| present(event.clients(CHAT));
    route GET "/present/rooms/:room" (room: u32) => async |event: WebEvent, room: u32| present(event.clients(ROOM.at(&room)));
}

fn outcome(sent: Result<(), SendError>) -> impl Reply {
    match sent {
        Ok(()) => status(200),
        Err(SendError::Backplane { .. }) => status(503),
        Err(SendError::Unknown { .. }) => status(504),
        Err(_) => status(500),
    }
}

fn attend(event: &ConnectEvent<String>) -> Result<(), EventError> {
    let As { name } = event.read_query()?;
    name.map_or(Ok(()), |name| event.present(&name))
}

fn present(clients: Clients) -> Result<impl Reply, SendError> {
    let present = clients.present::<String>()?;
    let present = present.into_iter().map(|(id, name)| (id.to_string(), name));
    Ok(json(&present.collect::<BTreeMap<_, _>>()))
}

async fn hear(event: SignalEvent<String>, say: Say) -> Result<(), SendError> {
    let Say { who, number } = say;
    let again = event.may_be_repeated();
    // First, and at once: the process may be killed at any time.
    println!("handled {who} {number} {again}");
    let serial = event.state(HANDLED).fetch_add(1, Ordering::Relaxed);
    let node = event.state(NAME);
    event.send(CHAT, &format!("handled.{node}.{serial}/{who}:{number}")).await
}

async fn tick(event: TimerEvent) {
    println!("fired {}", event.fence().unwrap_or_default());
}

/// Serves until the standard input ends.
///
/// # Errors
///
/// As for [`child::serve`].
pub(crate) fn serve(redis: String, name: String) -> io::Result<()> {
    pode::log_to_terminal();
    child::serve(chaos(redis, name), 2, [Protocol::Ws, Protocol::Http])
}
