//! Socket activation: sockets that the program gets from its parent process.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use pode::Protocol;
use pode::prelude::*;

use crate::support::{Client, Process, get_at, this_test};

/// The address that the program serves.
const ADDRESS: &str = "PODE_TEST_ACTIVATED";

pode_server! {
    server activated(address: SocketAddr);
    endpoint http address;
    endpoint ws   "127.0.0.1:0";
    signal NEWS: String = "/news";
    route GET "/" => async |_| text("activated");
    route GET "/listen-fds" => async |_| text(std::env::var("LISTEN_FDS").unwrap_or_default());
}

/// The program of the other tests in this file: they run this test alone, in a
/// process of its own. Otherwise it does nothing.
#[test]
fn program() {
    if let Some(address) = std::env::var(ADDRESS).ok().and_then(|address| address.parse().ok()) {
        pode::log_to_terminal();
        let ended = tokio::runtime::Runtime::new().unwrap().block_on(async {
            let _first = activated(address).start().await?;
            // Another server of the process.
            activated(([127, 0, 0, 1], 0).into()).run().await
        });
        if let Err(error) = ended {
            eprintln!("Error: {error:?}");
        }
    }
}

/// Starts the program with a socket.
fn start(address: SocketAddr, socket: &TcpListener) -> Process {
    let mut command = this_test("activation::program");
    command
        .env(ADDRESS, address.to_string())
        // It is passed as standard input, since no test can make it the first
        // descriptor after standard error.
        .envs([("LISTEN_FDS", "1"), ("LISTEN_FDS_FIRST_FD", "0")])
        .stdin(OwnedFd::from(socket.try_clone().unwrap()));
    Process::start(&mut command)
}

#[tokio::test]
async fn a_passed_socket_is_used_and_the_rest_is_bound() {
    // Since it is bound here, the program can't bind it.
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // Nothing serves yet, and no connection is refused.
    let early = tokio::spawn(async move { get_at(address, "/").await });
    let program = start(address, &socket);
    assert_eq!(program.address(Protocol::Http).await, address);
    assert_eq!(early.await.unwrap().text(), "activated");
    let ws = program.address(Protocol::Ws).await;
    Client::connect_at(ws, "/news").await.unwrap();
}

/// The variables stay as they are, since removing them isn't safe while other
/// threads run.
#[tokio::test]
async fn only_the_first_server_of_a_process_takes_the_passed_sockets() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut program = start(address, &socket);
    for _ in 0..2 {
        program.says_next("listens on ws").await;
    }
    assert_eq!(get_at(address, "/listen-fds").await.text(), "1");
    let said = program.said();
    assert!(!said.iter().any(|line| line.contains("WARN")), "{said:?}");
}

#[tokio::test]
async fn a_passed_socket_that_nobody_declares_is_told() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    // Port 0 picks a free one, and never a passed socket.
    let program = start("127.0.0.1:0".parse().unwrap(), &socket);
    let warned = program.says("no endpoint listens on").await;
    assert!(warned.contains(&socket.local_addr().unwrap().to_string()), "{warned}");
    assert!(warned.contains("WARN"), "{warned}");
    let address = program.address(Protocol::Http).await;
    assert_ne!(address, socket.local_addr().unwrap());
    assert_eq!(get_at(address, "/").await.text(), "activated");
}
