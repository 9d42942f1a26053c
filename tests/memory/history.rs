//! What kept messages take, and clients that are behind.

use std::io::{Read, Write};
use std::net::SocketAddr;

use pode::Protocol;
use pode::prelude::*;
use socket2::{Domain, Socket, Type};
use tokio::task::spawn_blocking;

use crate::{MEMORY, alone};

const MESSAGES: usize = 20_000;

/// Each takes two of the 20,000 descriptors that a process may have.
const STUCK: usize = 9_800;

const LARGE: usize = 4 << 10;

pode_server! {
    server kept;
    endpoint ws "127.0.0.1:0";
    signal SMALL: String = "/small" { history_messages: MESSAGES, history_bytes: 64 << 20 };
    signal KEYED: String = "/keyed" {
        history_messages: 10_000,
        history_bytes: 64 << 20,
        latest_by: |text| text[..9].to_owned(),
    };
    signal LARGE_ONES: String = "/large" {
        history_messages: 1_024,
        history_bytes: 1_024 * LARGE,
        heartbeat: std::time::Duration::ZERO,
    };
    signal ROOMY: u32 = "/roomy/:room" (room: u32) { history_messages: 1, history_bytes: 64 << 20 };
    signal BUSY: String = "/busy/:room" (room: u32) { history_messages: 5, history_bytes: 64 << 20 };
    signal ROOM: u32 = "/rooms/:room" (room: u32) {
        history_messages: 1,
        history_bytes: CHANNEL_BYTES,
    };
}

/// Each of the 16 channels of a family may keep as much.
const CHANNEL_BYTES: usize = 256 << 10;

#[test]
fn a_kept_message_takes_little_more_than_its_bytes() {
    alone(messages());
}

async fn messages() {
    let server = kept().start().await.unwrap();
    // In JSON, a text has quotes.
    let text = "x".repeat(126);
    let send = async |count: usize| {
        for _ in 0..count {
            server.signals().send(SMALL, &text).await.unwrap();
        }
    };
    send(1_000).await;
    let before = MEMORY.allocated();
    send(MESSAGES - 1_000).await;
    let each = (MEMORY.allocated() - before) / (MESSAGES - 1_000);
    println!("{each} bytes for each kept message of 128");
    assert!((128..=176).contains(&each), "{each} bytes");
    server.stop().await;
}

#[test]
fn a_key_that_changes_takes_no_more_memory() {
    alone(changing_keys());
}

async fn changing_keys() {
    const KEYS: usize = 10_000;
    const ROUNDS: usize = 100;
    let server = kept().start().await.unwrap();
    let padding = "x".repeat(116);
    let send = async |rounds: usize| {
        for number in 0..rounds * KEYS {
            // Each round in another order.
            let key = number * 7_919 % KEYS;
            server.signals().send(KEYED, &format!("key {key:05} {padding}")).await.unwrap();
        }
        server.signals().clients(KEYED).list().await.unwrap();
    };
    let before = MEMORY.allocated();
    send(1).await;
    let once = MEMORY.allocated() - before;
    send(ROUNDS).await;
    let at_last = MEMORY.allocated() - before;
    let each = once / KEYS;
    println!("{each} bytes for each key of 9 with a message of 130, {at_last} of {once} at last");
    assert!(at_last * 10 <= once * 13, "{at_last} bytes, {once} at first");
    assert!(each <= 9 + 130 + pode_core::hub::KEY_BYTES, "{each} bytes");
    server.stop().await;
}

#[test]
fn rooms_that_come_and_go_take_no_more_than_their_history_may() {
    alone(rooms());
}

async fn rooms() {
    const ROOMS: u32 = 40_000;
    const SOME_ROOMS: u32 = 256;
    let server = kept().start().await.unwrap();
    let signals = server.signals();
    let before = MEMORY.allocated();
    for room in 0..ROOMS {
        signals.send(ROOMY.at(&room), &room).await.unwrap();
    }
    // Until its channels, in which some of these rooms are, hold nothing more.
    for room in 0..SOME_ROOMS {
        signals.clients(ROOMY.at(&room)).list().await.unwrap();
    }
    let each = (MEMORY.allocated() - before) / ROOMS as usize;
    println!("{each} bytes for each room with a message");
    let counted = pode_core::hub::PATH_BYTES + "/roomy/00000".len();
    assert!(each <= counted, "{each} bytes, {counted} are counted besides the message");
    let text = "x".repeat(126);
    let before = MEMORY.allocated();
    for room in 0..ROOMS / 10 {
        for _ in 0..5 {
            signals.send(BUSY.at(&room), &text).await.unwrap();
        }
    }
    for room in 0..SOME_ROOMS {
        signals.clients(BUSY.at(&room)).list().await.unwrap();
    }
    let each = (MEMORY.allocated() - before) / (ROOMS / 10) as usize;
    println!("{each} bytes for each room with five messages of 128");
    let counted = counted + 5 * (128 + 4 + pode_core::hub::ENTRY_BYTES);
    assert!(each <= counted, "{each} bytes, {counted} are counted");
    let before = MEMORY.allocated();
    for room in 0..ROOMS {
        signals.send(ROOM.at(&room), &room).await.unwrap();
    }
    for room in 0..SOME_ROOMS {
        signals.clients(ROOM.at(&room)).list().await.unwrap();
    }
    let all = MEMORY.allocated() - before;
    println!("{all} bytes for rooms that may take {}", 16 * CHANNEL_BYTES);
    assert!(all <= 16 * CHANNEL_BYTES);
    server.stop().await;
}

#[test]
fn clients_that_are_stuck_take_no_messages() {
    alone(stuck_clients());
}

/// Connects a client that never reads, and whose system takes little for it.
fn stuck_client(address: SocketAddr) -> Socket {
    let mut socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    socket.connect(&address.into()).unwrap();
    let request = "GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
                   Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        response.push(byte[0]);
    }
    socket
}

/// They come one after the other, amid messages, so each is at a place of its own.
async fn stuck_clients() {
    let server = kept().start().await.unwrap();
    let address = server.address(Protocol::Ws).unwrap();
    let text = "x".repeat(LARGE - 2);
    let send = async |count: usize| {
        for _ in 0..count {
            server.signals().send(LARGE_ONES, &text).await.unwrap();
        }
    };
    // So that the log is full.
    send(1_500).await;
    let connect = async || spawn_blocking(move || stuck_client(address)).await.unwrap();
    let mut clients = vec![connect().await];
    let before = MEMORY.allocated();
    for _ in 0..STUCK {
        clients.push(connect().await);
        send(1).await;
    }
    // The log rolls over.
    send(3_000).await;
    // Behind all of that.
    let here = server.signals().clients(LARGE_ONES).list().await.unwrap().len();
    assert_eq!(here, STUCK + 1, "some were cut off");
    let each = MEMORY.allocated().saturating_sub(before) / STUCK;
    println!("{each} bytes for each client that is stuck, with a frame of {LARGE}");
    assert!(each <= LARGE + 1024, "{each} bytes for each client");
    drop(clients);
    server.stop().await;
}
