//! Clients that come and go for hours leave no memory behind.

use pode::RunningServer;
use pode::prelude::*;

use crate::support::{Client, start};
use crate::{MEMORY, alone};

/// How many connect in a round, and how many of them at once.
const VISITS: usize = 5_000;
const AT_ONCE: usize = 100;

pode_server! {
    server house;
    endpoint ws "127.0.0.1:0";
    signal CHAT: String -> String = "/chat" { max_clients: 1_000 } => answer;
    signal ROOM: String -> String = "/rooms/:room" (room: u32) => answer_in;
    on connect CHAT => enter;
    on connect ROOM => enter_room;
    on disconnect CHAT => async |_| ();
    on disconnect ROOM => async |_, _| ();
}

async fn enter(event: ConnectEvent<String>) -> Result<(), EventError> {
    event.join_group(event.query());
    event.set_state(event.query().to_owned());
    event.greet(&"welcome".to_owned())
}

async fn enter_room(event: ConnectEvent<String>, room: u32) -> Result<(), EventError> {
    event.join_group(&format!("half {}", room % 2));
    enter(event).await
}

async fn answer(event: SignalEvent<String>, message: String) -> Result<(), SendError> {
    event.client().join_group("talkers").await?;
    event.reply(&message).await
}

async fn answer_in(event: SignalEvent<String>, _: u32, message: String) -> Result<(), SendError> {
    answer(event, message).await
}

#[test]
fn memory_returns_when_clients_have_gone() {
    alone(visits_again_and_again());
}

async fn visits_again_and_again() {
    let server = start(house()).await;
    // The first rounds allocate what is kept for later clients.
    for round in 0..2 {
        visits(&server, round).await;
    }
    let before = MEMORY.allocated();
    for round in 2..5 {
        visits(&server, round).await;
    }
    let after = MEMORY.allocated();
    println!("{before} bytes before {} visits, {after} after them", 3 * VISITS);
    assert!(after < before + before / 10, "{before} bytes before, {after} after");
}

/// Connects many clients, each to a room and a group of its own or to the chat;
/// each sends a message and disconnects. No two rounds have a room or a group
/// in common.
async fn visits(server: &RunningServer, round: usize) {
    for first in (0..VISITS).step_by(AT_ONCE) {
        let visitors = (first..first + AT_ONCE).map(async |number| {
            let number = round * VISITS + number;
            let path = match number % 2 {
                0 => format!("/chat?{number}"),
                _ => format!("/rooms/{number}?{number}"),
            };
            let mut client = Client::connect(server, &path).await;
            assert_eq!(client.text().await, "\"welcome\"");
            client.say("\"hi\"").await;
            assert_eq!(client.text().await, "\"hi\"");
            match number % 3 {
                0 => drop(client),
                _ => client.leave(1000).await,
            }
        });
        futures_util::future::join_all(visitors).await;
    }
    // Nobody is left.
    let chat = server.signals().clients(CHAT);
    while !chat.list().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}
