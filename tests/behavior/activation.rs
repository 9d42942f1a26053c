//! Socket activation: sockets that whoever starts the program passes to it.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::Stdio;

use pode::prelude::*;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use crate::support::{Client, get_at, within};

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
fn start(address: SocketAddr, socket: &TcpListener) -> (Child, Lines<BufReader<ChildStderr>>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "activation::program", "--nocapture", "--quiet"])
        .env(ADDRESS, address.to_string())
        // It comes in the place of the standard input, since no test may say
        // that it is to be the first behind the errors.
        .envs([("LISTEN_FDS", "1"), ("LISTEN_FDS_FIRST_FD", "0")])
        .stdin(Stdio::from(OwnedFd::from(socket.try_clone().unwrap())))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let log = BufReader::new(child.stderr.take().unwrap()).lines();
    (child, log)
}

/// Waits for a line of the log.
async fn says(log: &mut Lines<BufReader<ChildStderr>>, text: &str) -> String {
    let heard = async {
        loop {
            let line = log.next_line().await.unwrap().expect("the program runs");
            if line.contains(text) {
                return line;
            }
        }
    };
    within(heard, text).await
}

#[tokio::test]
async fn a_passed_socket_is_used_and_the_rest_is_bound() {
    // Bound here, it can't be bound there.
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // Nobody serves yet, and nobody is refused.
    let early = tokio::spawn(async move { get_at(address, "/").await });
    let (_child, mut log) = start(address, &socket);
    says(&mut log, &format!("listens on http://{address}/")).await;
    let line = says(&mut log, "listens on ws://").await;
    assert_eq!(early.await.unwrap().text(), "activated");
    let ws = line.split_once("ws://").unwrap().1.trim_end_matches('/').parse().unwrap();
    Client::connect_at(ws, "/news").await.unwrap();
}

#[tokio::test]
async fn a_passed_socket_that_nobody_declares_is_told() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    // Port 0 is any free one, and none that is passed.
    let (_child, mut log) = start("127.0.0.1:0".parse().unwrap(), &socket);
    let warned = says(&mut log, "no endpoint listens on").await;
    assert!(warned.contains(&socket.local_addr().unwrap().to_string()), "{warned}");
    assert!(warned.contains("WARN"), "{warned}");
    let line = says(&mut log, "listens on http://").await;
    let address = line.split_once("http://").unwrap().1.trim_end_matches('/').parse().unwrap();
    assert_ne!(address, socket.local_addr().unwrap());
    assert_eq!(get_at(address, "/").await.text(), "activated");
}
