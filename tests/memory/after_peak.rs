//! After a peak of clients, a server holds the memory that it would hold
//! without one. The clients here are bare sockets, which take no memory.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use pode::prelude::*;
use pode::{Protocol, RunningServer};
use tokio::task::{spawn_blocking, yield_now};

use crate::{MEMORY, alone};

/// As many as come at once. Each takes two of the 20,000 descriptors that a
/// process may have on many systems.
const CROWD: usize = 9_000;

const ROOMS: usize = 1_000;

pode_server! {
    server hall;
    endpoint ws "127.0.0.1:0";
    signal NEWS: u32 = "/news";
    signal ROOM: u32 = "/rooms/:room" (room: usize);
    on connect NEWS => async |event| event.join_group("readers");
    on connect ROOM => async |event, room: usize| event.join_group(&format!("half {}", room % 2));
    on disconnect ROOM => async |_, _| ();
}

/// Connects a client.
fn client(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        response.push(byte[0]);
    }
    assert!(response.starts_with(b"HTTP/1.1 101 "), "{response:?}");
    stream
}

/// Lets this many clients come, half of them to rooms; then ten, who are
/// returned, and then all others leave.
async fn visits(server: &RunningServer, visitors: usize) -> Vec<TcpStream> {
    let address = server.address(Protocol::Ws).unwrap();
    let connected = spawn_blocking(move || {
        let visitor = |number: usize| match number % 2 {
            0 => client(address, "/news"),
            _ => client(address, &format!("/rooms/{}", number % ROOMS)),
        };
        let others: Vec<TcpStream> = (0..visitors).map(visitor).collect();
        let ten = (0..10).map(|_| client(address, "/news")).collect();
        drop(others);
        ten
    });
    let ten = connected.await.unwrap();
    let signals = server.signals();
    while signals.clients(NEWS).list().await.unwrap().len() > 10 {
        yield_now().await;
    }
    for room in (1..ROOMS).step_by(2) {
        while !signals.clients(ROOM.at(&room)).list().await.unwrap().is_empty() {
            yield_now().await;
        }
    }
    ten
}

/// Sends messages, and waits until ten clients have got all of them.
async fn send(server: &RunningServer, ten: Vec<TcpStream>, messages: u32) -> Vec<TcpStream> {
    let reading = spawn_blocking(move || {
        for mut client in &ten {
            for _ in 0..messages {
                // A number of four digits, behind a header of two bytes.
                client.read_exact(&mut [0; 6]).unwrap();
            }
        }
        ten
    });
    for number in 0..messages {
        server.signals().send(NEWS, &(1_000 + number)).await.unwrap();
    }
    reading.await.unwrap()
}

#[test]
fn a_crowd_that_has_gone_leaves_no_memory_behind() {
    alone(crowds());
}

async fn crowds() {
    let server = hall().start().await.unwrap();
    // The first ones allocate what is kept for later clients, by each channel.
    drop(visits(&server, 2_000).await);
    let ten = visits(&server, 0).await;
    let ten = send(&server, ten, 100).await;
    let before = MEMORY.allocated();
    drop(ten);

    // Twenty thousand.
    drop(visits(&server, 2_000).await);
    drop(visits(&server, CROWD).await);
    let ten = visits(&server, CROWD).await;
    let ten = send(&server, ten, 1_000).await;
    let after = MEMORY.allocated();
    println!("{before} bytes before the crowds, {after} after them");
    assert!(after < before + before / 10, "{before} bytes before, {after} after");
    drop(ten);
}
