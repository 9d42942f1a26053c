//! That memory comes back when clients have gone.
//!
//! It is measured in a process of its own, since all other tests take and give
//! back memory meanwhile.

use std::process::Command;

use pode::RunningServer;
use pode::prelude::*;

use crate::support::{Client, start};

/// How many come and go in a round, and how many of them at once.
const VISITS: usize = 5_000;
const AT_ONCE: usize = 100;

/// What a process may grow by over three rounds: some 130 bytes for each visit.
/// Each client alone takes more than that while it is there.
const MAX_GROWTH_KIB: i64 = 2_000;

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

/// In the environment of the process that is measured.
const ALONE: &str = "PODE_TEST_ALONE";

#[test]
fn memory_returns_when_clients_have_gone() {
    if std::env::var_os(ALONE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        return runtime.unwrap().block_on(rounds_of_visits());
    }
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", "memory::memory_returns_when_clients_have_gone", "--nocapture"];
    let ran = Command::new(program).args(arguments).env(ALONE, "").output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&ran.stderr));
}

async fn rounds_of_visits() {
    let server = start(house()).await;
    // What is kept for the next client is taken in the first rounds.
    for round in 0..2 {
        visits(&server, round).await;
    }
    let before = resident_kib();
    for round in 2..5 {
        visits(&server, round).await;
    }
    let growth = resident_kib() - before;
    println!("{growth} KiB more after {} visits, of {before}", 3 * VISITS);
    assert!(growth < MAX_GROWTH_KIB, "{growth} KiB more");
}

/// Lets many come, each to a room and a group of its own or to the chat, say
/// something and go. No two rounds have a room or a group in common.
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

/// Returns what the process has of the machine's memory.
fn resident_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
