//! Socket activation: sockets that whoever starts the program passes to it.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use pode::Protocol;
use pode::prelude::*;

use crate::support::{Client, Process, get_at, this_test};

/// Where the program is to serve.
const ADDRESS: &str = "PODE_TEST_ACTIVATED";

pode_server! {
    server activated(address: SocketAddr);
    endpoint http address;
    endpoint ws   "127.0.0.1:0";
    signal NEWS: String = "/news";
    route GET "/" => async |_| text("activated");
}

/// The program of the other tests in this file: they run this test alone, in a
/// process of its own. Otherwise there is nothing to do here.
#[test]
fn program() {
    if let Some(address) = std::env::var(ADDRESS).ok().and_then(|address| address.parse().ok()) {
        pode::log_to_terminal();
        if let Err(error) = activated(address).run_blocking() {
            eprintln!("Error: {error:?}");
        }
    }
}

/// Starts the program with a socket.
fn start(address: SocketAddr, socket: &TcpListener) -> Process {
    let mut command = this_test("activation::program");
    command
        .env(ADDRESS, address.to_string())
        // It comes in the place of the standard input, since no test may say
        // that it is to be the first behind the errors.
        .envs([("LISTEN_FDS", "1"), ("LISTEN_FDS_FIRST_FD", "0")])
        .stdin(OwnedFd::from(socket.try_clone().unwrap()));
    Process::start(&mut command)
}

#[tokio::test]
async fn a_passed_socket_is_used_and_the_rest_is_bound() {
    // Bound here, it can't be bound there.
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // Nobody serves yet, and nobody is refused.
    let early = tokio::spawn(async move { get_at(address, "/").await });
    let program = start(address, &socket);
    assert_eq!(program.address(Protocol::Http).await, address);
    assert_eq!(early.await.unwrap().text(), "activated");
    let ws = program.address(Protocol::Ws).await;
    Client::connect_at(ws, "/news").await.unwrap();
}

#[tokio::test]
async fn a_passed_socket_that_nobody_declares_is_told() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    // Port 0 is any free one, and none that is passed.
    let program = start("127.0.0.1:0".parse().unwrap(), &socket);
    let warned = program.says("no endpoint listens on").await;
    assert!(warned.contains(&socket.local_addr().unwrap().to_string()), "{warned}");
    assert!(warned.contains("WARN"), "{warned}");
    let address = program.address(Protocol::Http).await;
    assert_ne!(address, socket.local_addr().unwrap());
    assert_eq!(get_at(address, "/").await.text(), "activated");
}
