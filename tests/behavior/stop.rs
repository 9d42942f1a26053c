//! Programs that the system asks to end.
//!
//! The system closes the sockets that a process leaves open, so a program of
//! these tests counts its sockets itself, after its server has ended.

use std::collections::HashSet;
use std::net::SocketAddr;

use pode::Protocol;
use pode::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Client, Process, request_at, start, this_test, within};

/// The address at which the test learns that a request is in flight.
const GATE: &str = "PODE_TEST_GATE";

pode_server! {
    // Longer than any test waits, so that an early end has the tested reason.
    server slow(gate: SocketAddr) { stop_timeout: 1h };
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    state OPENS: SocketAddr = gate;
    signal NEWS: String = "/";
    route GET "/sockets" => async |_| json(&tcp_sockets());
    route GET "/slow" => async |event| -> Result<_, Box<dyn std::error::Error + Send + Sync>> {
        // The request ends when the test closes the gate.
        let mut gate = TcpStream::connect(event.state(OPENS)).await?;
        gate.read_to_end(&mut Vec::new()).await?;
        Ok(text("done"))
    };
}

/// The program of the other tests in this file: they run this test alone, in a
/// process of its own. Otherwise it does nothing.
#[test]
fn program() {
    if let Some(gate) = std::env::var(GATE).ok().and_then(|gate| gate.parse().ok()) {
        pode::log_to_terminal();
        slow(gate).run_blocking().unwrap();
        eprintln!("sockets: {:?}", tcp_sockets());
    }
}

/// Counts the TCP sockets that this process has open; `None` if the system has
/// no such list.
fn tcp_sockets() -> Option<usize> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    // The tenth word of each line after the first is the inode number, by which
    // descriptors identify the socket. The list also has other processes'
    // sockets.
    let table = |version: &str| std::fs::read_to_string(format!("/proc/self/net/{version}"));
    let tables = table("tcp").unwrap() + &table("tcp6").unwrap_or_default();
    let all: HashSet<String> = tables
        .lines()
        .filter_map(|line| Some(format!("socket:[{}]", line.split_whitespace().nth(9)?)))
        .collect();
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
    let open = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    Some(open.filter(|link| link.to_str().is_some_and(|link| all.contains(link))).count())
}

/// Starts the program; returns it and the address it serves.
async fn start_program(gate: SocketAddr) -> (Process, SocketAddr) {
    let mut command = this_test("stop::program");
    let program = Process::start(command.env(GATE, gate.to_string()));
    let address = program.address(Protocol::Ws).await;
    (program, address)
}

#[tokio::test]
async fn a_program_that_is_asked_to_end_finishes_takes_leave_and_leaves_no_socket() {
    let gate = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gate_address = gate.local_addr().unwrap();
    // A server raises the limit of descriptors, which the clients here need.
    drop(start(slow(gate_address)).await);
    let (program, address) = start_program(gate_address).await;

    let mut clients = Vec::new();
    for _ in 0..1_000 {
        clients.push(Client::connect_at(address, "/").await.unwrap());
    }
    let request = tokio::spawn(async move { request_at(address, "GET", "/slow", &[], b"").await });
    let (in_flight, _) = within(gate.accept(), "the request").await.unwrap();
    // The system may miss some while it lists them and others change.
    let all_counted = async {
        loop {
            let sockets = request_at(address, "GET", "/sockets", &[], b"").await;
            let sockets: Option<usize> = serde_json::from_slice(&sockets.body).unwrap();
            if sockets.is_none_or(|sockets| sockets > 1_000) {
                return;
            }
        }
    };
    within(all_counted, "the sockets of all clients").await;
    program.signal("-TERM");
    let refused = async { while TcpStream::connect(address).await.is_ok() {} };
    within(refused, "the port to close").await;
    drop(in_flight);
    assert_eq!(request.await.unwrap().text(), "done");
    for client in &mut clients {
        assert_eq!(client.close_code().await, 1001);
    }
    let (said, status) = program.end().await;
    assert_eq!(status.code(), Some(0));
    let sockets = said.lines().find_map(|line| line.strip_prefix("sockets: "));
    assert!(matches!(sockets, Some("Some(0)" | "None")), "{said}");
}

#[tokio::test]
async fn a_program_that_is_asked_twice_ends_at_once() {
    let gate = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (program, address) = start_program(gate.local_addr().unwrap()).await;
    let mut request = TcpStream::connect(address).await.unwrap();
    request.write_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let (_in_flight, _) = within(gate.accept(), "the request").await.unwrap();
    program.signal("-INT");
    let refused = async { while TcpStream::connect(address).await.is_ok() {} };
    within(refused, "the port to close").await;
    program.signal("-INT");
    assert_eq!(program.end().await.1.code(), Some(0));
}
