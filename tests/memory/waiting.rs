//! What a client takes that says nothing and hears nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use pode::Protocol;
use pode::prelude::*;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::{MEMORY, alone};

const CLIENTS: usize = 500;

pode_server! {
    server house;
    endpoint ws "127.0.0.1:0";
    #[allow(dead_code, reason = "nothing is sent there")]
    signal NEWS: u32 = "/news" { history_messages: 10, heartbeat: Duration::ZERO };
    signal CHAT: u32 -> u32 = "/chat" { history_messages: 10, heartbeat: Duration::ZERO } => async |event: SignalEvent<u32>, number: u32| {
        event.reply(&number).await
    };
}

#[test]
fn a_waiting_client_of_v1_takes_little_more() {
    alone(waiting_clients());
}

async fn waiting_clients() {
    let server = house().start().await.unwrap();
    let address = server.address(Protocol::Ws).unwrap();
    let mut all = Vec::new();
    // The first clients allocate what is kept for later ones.
    for path in ["/news", "/chat"] {
        for offers in [false, true] {
            all.extend(connect(address, path, offers).await);
        }
        let mut each = [0; 2];
        for (offers, bytes) in [false, true].into_iter().zip(&mut each) {
            let before = at_rest().await;
            let clients = connect(address, path, offers).await;
            *bytes = (at_rest().await - before) / CLIENTS;
            all.extend(clients);
        }
        let [plain, v1] = each;
        println!("{path}: {plain} bytes for each client, {v1} for one of pode.v1");
        assert!(v1 <= plain + 48, "{v1} bytes, {plain} for plain clients");
        all.clear();
    }
    server.stop().await;
}

/// Returns what is allocated when the tasks of the last handshakes have ended: they may go
/// on for a moment when the client is served.
async fn at_rest() -> usize {
    let (mut least, mut unchanged) = (MEMORY.allocated(), 0);
    while unchanged < 20 {
        sleep(Duration::from_millis(10)).await;
        unchanged += 1;
        if MEMORY.allocated() < least {
            (least, unchanged) = (MEMORY.allocated(), 0);
        }
    }
    least
}

async fn connect(address: SocketAddr, path: &'static str, offers: bool) -> Vec<TcpStream> {
    let connected = spawn_blocking(move || {
        let mut clients = Vec::with_capacity(CLIENTS);
        clients.extend((0..CLIENTS).map(|_| client(address, path, offers)));
        clients
    });
    connected.await.unwrap()
}

/// Connects a client, which is served when this returns.
fn client(address: SocketAddr, path: &str, offers: bool) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let offer = if offers { "Sec-WebSocket-Protocol: pode.v1\r\n" } else { "" };
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    // A ping, masked by zeros.
    stream.write_all(b"\x89\x84\0\0\0\0pong").unwrap();
    let (mut read, mut buffer) = (Vec::new(), [0; 1024]);
    while !read.windows(4).any(|window| window == b"pong") {
        let bytes = stream.read(&mut buffer).unwrap();
        assert!(bytes > 0, "{}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&buffer[..bytes]);
    }
    stream
}
