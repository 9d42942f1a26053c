//! Programs that are asked to end by the system.

use std::net::SocketAddr;
use std::process::Stdio;

use pode::prelude::*;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::support::{Client, request_at, start, within};

/// Where the test waits for the server to say that a request is in flight.
const GATE: &str = "PODE_TEST_GATE";

struct Gate(SocketAddr);

pode_server! {
    // Longer than any test waits, so that what ends early ended for its reason.
    server slow(gate: SocketAddr) { stop_timeout: 1h };
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    state Gate = Gate(gate);
    signal NEWS: String = "/";
    route GET "/slow" => async |event| -> Result<_, Box<dyn std::error::Error + Send + Sync>> {
        // The request ends when the test closes the gate.
        let mut gate = TcpStream::connect(event.state::<Gate>()?.0).await?;
        gate.read_to_end(&mut Vec::new()).await?;
        Ok(text("done"))
    };
}

/// The program of the other tests in this file: they run this test alone, in a
/// process of its own. Otherwise there is nothing to do here.
#[test]
fn program() {
    if let Some(gate) = std::env::var(GATE).ok().and_then(|gate| gate.parse().ok()) {
        pode::log_to_terminal();
        slow(gate).run_blocking().unwrap();
    }
}

/// Starts the program; returns it and the address it serves.
async fn start_program(gate: SocketAddr) -> (Child, SocketAddr) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "stop::program", "--nocapture", "--quiet"])
        .env(GATE, gate.to_string());
    command.stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = async {
        loop {
            let line = log.next_line().await.unwrap().expect("the program runs");
            if let Some((_, address)) = line.split_once("listens on ws://") {
                return address.trim_end_matches('/').parse().unwrap();
            }
        }
    };
    let address = within(address, "the address").await;
    // Whatever else it says is read, so that it never waits for a reader.
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    (child, address)
}

fn ask_to_end(child: &Child, signal: &str) {
    let id = child.id().expect("the program runs").to_string();
    assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
}

#[tokio::test]
async fn a_program_that_is_asked_to_end_finishes_and_takes_leave() {
    let gate = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gate_address = gate.local_addr().unwrap();
    // A server raises the limit of descriptors, which the clients here need.
    drop(start(slow(gate_address)).await);
    let (mut child, address) = start_program(gate_address).await;

    let mut clients = Vec::new();
    for _ in 0..1_000 {
        clients.push(Client::connect_at(address, "/").await.unwrap());
    }
    let request = tokio::spawn(async move { request_at(address, "GET", "/slow", &[], b"").await });
    let (in_flight, _) = within(gate.accept(), "the request").await.unwrap();
    ask_to_end(&child, "-TERM");
    let refused = async { while TcpStream::connect(address).await.is_ok() {} };
    within(refused, "the port to close").await;
    drop(in_flight);
    assert_eq!(request.await.unwrap().text(), "done");
    for client in &mut clients {
        assert_eq!(client.close_code().await, 1001);
    }
    assert_eq!(within(child.wait(), "the end").await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_program_that_is_asked_twice_ends_at_once() {
    let gate = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (mut child, address) = start_program(gate.local_addr().unwrap()).await;
    let mut request = TcpStream::connect(address).await.unwrap();
    request.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let (_in_flight, _) = within(gate.accept(), "the request").await.unwrap();
    ask_to_end(&child, "-INT");
    let refused = async { while TcpStream::connect(address).await.is_ok() {} };
    within(refused, "the port to close").await;
    ask_to_end(&child, "-INT");
    assert_eq!(within(child.wait(), "the end").await.unwrap().code(), Some(0));
}
