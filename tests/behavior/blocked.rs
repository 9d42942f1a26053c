//! Handlers that block their threads: what they hold up, and what not.

use std::net::SocketAddr;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use pode::Protocol;
use pode::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::runtime::Builder;

use crate::support::{Client, Process, request_at, start, this_test, within};

/// Says how many workers a program has, and how many seconds its stop.
const PROGRAM: &str = "PODE_TEST_BLOCKED";

/// Whether blocked handlers may go on.
static GOES_ON: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

pode_server! {
    server blocked(stop_timeout: Duration) { stop_timeout: stop_timeout };
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    signal NEWS: String = "/news";
    route GET "/" => async |_| text("here");
    route GET "/block" => async |event| {
        event.send(NEWS, &"a handler blocks".to_owned()).await?;
        eprintln!("a handler blocks");
        let (goes_on, changed) = &GOES_ON;
        drop(changed.wait_while(goes_on.lock().unwrap(), |goes_on| !*goes_on).unwrap());
        Ok::<_, SendError>(text("done"))
    };
}

async fn ask_to_block(address: SocketAddr) -> TcpStream {
    let mut request = TcpStream::connect(address).await.unwrap();
    request.write_all(b"GET /block HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_handler_that_blocks_its_thread_holds_up_nobody_else() {
    let server = start(blocked(Duration::from_secs(30))).await;
    let address = server.address(Protocol::Http).unwrap();
    let mut client = Client::connect(&server, "/news").await;
    let mut blocked = ask_to_block(address).await;
    assert_eq!(client.text().await, "\"a handler blocks\"");
    for _ in 0..5 {
        assert_eq!(request_at(address, "GET", "/", &[], b"").await.text(), "here");
    }
    server.signals().send(NEWS, &"more".to_owned()).await.unwrap();
    assert_eq!(client.text().await, "\"more\"");
    *GOES_ON.0.lock().unwrap() = true;
    GOES_ON.1.notify_all();
    let mut response = String::new();
    while !response.ends_with("done") {
        response.push(within(blocked.read_u8(), "the response").await.unwrap().into());
    }
}

/// The program of the other tests in this file.
#[test]
fn program() {
    let Ok(program) = std::env::var(PROGRAM) else { return };
    let (workers, seconds) = program.split_once(' ').unwrap();
    let mut builder = match workers.parse().unwrap() {
        0 => Builder::new_current_thread(),
        workers => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(workers);
            builder
        }
    };
    pode::log_to_terminal();
    let runtime = builder.enable_all().build().unwrap();
    runtime.block_on(async {
        blocked(Duration::from_secs(seconds.parse().unwrap())).run().await.unwrap();
        eprintln!("what comes after the server");
    });
    drop(runtime);
    eprintln!("what comes after the runtime");
}

/// Starts the program, and blocks this many of its workers.
async fn start_program(workers: usize, seconds: u64, blocked: usize) -> Process {
    let mut command = this_test("blocked::program");
    let mut program = Process::start(command.env(PROGRAM, format!("{workers} {seconds}")));
    let address = program.address(Protocol::Ws).await;
    for _ in 0..blocked {
        // The connection is open until the program has ended.
        std::mem::forget(ask_to_block(address).await.into_std().unwrap());
        program.says_next("a handler blocks").await;
    }
    program
}

#[tokio::test]
async fn a_program_ends_by_its_deadline_whatever_blocks() {
    for blocked in [1, 2] {
        let program = start_program(2, 1, blocked).await;
        program.signal("-TERM");
        let (said, status) = program.end().await;
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains("\nwhat comes after the server\n"), "{said}");
        assert!(said.contains("handlers block their threads; the program ends"), "{said}");
        let cut_off = said.contains("1 connections aren't done by the deadline and are cut off");
        assert_eq!(cut_off, blocked == 1, "{said}");
        assert!(!said.contains("what comes after the runtime"), "{said}");
    }
}

#[tokio::test]
async fn a_program_that_is_asked_twice_ends_whatever_blocks() {
    let program = start_program(2, 3600, 2).await;
    program.signal("-TERM");
    program.says("stopping; a second request").await;
    program.signal("-TERM");
    assert_eq!(program.end().await.1.code(), Some(1));

    // Nobody is left to take note.
    for (signal, status) in [("-TERM", 143), ("-INT", 130)] {
        let program = start_program(0, 3600, 1).await;
        let id = program.id().to_string();
        let ended = tokio::spawn(program.end());
        // Signals that come before the first was noticed are one.
        while !ended.is_finished() {
            Command::new("kill").args([signal, &id]).status().await.unwrap();
        }
        assert_eq!(ended.await.unwrap().1.code(), Some(status));
    }
}
