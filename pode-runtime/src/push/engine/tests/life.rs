//! Pings and pongs: those of clients, and those of the heartbeat.

use std::task::Waker;

use pode_core::frame::Close;
use tokio::task::JoinHandle;

use super::*;
use crate::net::connection_limit::SharedPermit;
use crate::push::raw_message::RawMessage;
use crate::push::session::{Fault, Incoming};

const HEARTBEAT: Duration = Duration::from_secs(25);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pings_are_answered_between_messages() {
    let server = Server::start(4, QueueLimits::default());
    for buffer_bytes in [3, 50, 5_000] {
        check_pings(&server, server.join(buffer_bytes).await.0).await;
    }
    for link in Link::all() {
        check_pings(&server, server.join_by(link).await.0).await;
    }
    server.stop().await;
}

async fn check_pings(server: &Server, peer: impl Stream) {
    let (reading, mut writing) = tokio::io::split(peer);
    let pinging = async {
        for number in 0..200_u8 {
            writing.write_all(&masked(PING, &[number; 7])).await.unwrap();
            writing.write_all(&masked(PONG, b"nobody asked")).await.unwrap();
        }
        writing.flush().await.unwrap();
    };
    let hearing = async {
        let mut peer = Peer(tokio::io::join(reading, tokio::io::sink()));
        let (mut messages, mut pongs) = (0, 0);
        while messages < 500 || pongs < 200 {
            let (first, payload) = peer.receive().await.unwrap();
            if first == TEXT {
                assert_eq!(payload, messages.to_string().as_bytes());
                messages += 1;
            } else {
                assert_eq!((first, payload), (PONG, vec![pongs; 7]));
                pongs += 1;
            }
        }
    };
    tokio::join!(server.send_numbers(500), pinging, hearing);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pings_goes_no_faster_than_its_answers() {
    let server = Server::start(1, QueueLimits::default());
    let Peer(peer) = server.join(100).await;
    let (reading, mut writing) = tokio::io::split(peer);
    let pings = masked(PING, b"?").repeat(1000);
    let mut flood = Box::pin(writing.write_all(&pings));
    timeout(Duration::from_secs(60), &mut flood).await.expect_err("nobody took the answers");

    let mut peer = Peer(tokio::io::join(reading, tokio::io::sink()));
    let hearing = async {
        for _ in 0..1000 {
            assert_eq!(peer.receive().await, Some((PONG, b"?".to_vec())));
        }
    };
    tokio::join!(async { flood.await.unwrap() }, hearing);
}

/// For every slot of a client, and whenever the slot has its turn.
#[tokio::test(start_paused = true)]
async fn whoever_has_just_come_is_not_asked() {
    let limits = QueueLimits::default();
    let server = Server::start_with(1, policy(limits, HEARTBEAT));
    let mut peers = Vec::new();
    for _ in 0..25 {
        let mut peer = server.join_open(1000).await;
        let came = Instant::now();
        peers.push(tokio::spawn(async move {
            assert_eq!(peer.receive().await, Some((PING, Vec::new())));
            let waited = came.elapsed();
            assert!(waited >= HEARTBEAT && waited <= HEARTBEAT * 2, "{waited:?}");
        }));
        sleep(Duration::from_millis(1700)).await;
    }
    for peer in peers {
        peer.await.unwrap();
    }
    server.stop().await;
}

/// Paused time advances when all tasks are waiting.
#[tokio::test(start_paused = true)]
async fn a_client_that_gives_no_sign_of_life_is_dropped() {
    let limits = QueueLimits::default();
    let server = Server::start_with(1, policy(limits, HEARTBEAT));
    let mut silent = server.join_open(1000).await;
    let mut lively = server.join_open(1000).await;
    let started = Instant::now();
    let listening = async {
        assert_eq!(silent.receive().await, Some((PING, Vec::new())));
        assert!(started.elapsed() <= HEARTBEAT + Duration::from_secs(1));
        let end = timeout(HEARTBEAT + Duration::from_secs(1), silent.receive()).await;
        assert_eq!(end, Ok(None), "without a word");
    };
    let answering = async {
        for _ in 0..10 {
            assert_eq!(lively.receive().await, Some((PING, Vec::new())));
            lively.say(PONG, b"").await;
        }
        assert!(started.elapsed() >= HEARTBEAT * 9);
    };
    tokio::join!(listening, answering);
    drop(lively);
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_takes_what_waits_is_there() {
    let limits = QueueLimits::default();
    let server = Server::start_with(1, policy(limits, HEARTBEAT));
    let mut slow = server.join_open(10).await;
    server.send(&"x".repeat(200)).await;
    let mut heard = vec![0; 4 + 200];
    for bytes in heard.chunks_mut(10) {
        // Reads so slowly that its pings are late by many heartbeats.
        sleep(HEARTBEAT - Duration::from_secs(2)).await;
        slow.0.read_exact(bytes).await.unwrap();
    }
    assert_eq!(slow.receive().await, Some((PING, Vec::new())));
    sleep(HEARTBEAT * 3).await;
    let mut rest = Vec::new();
    slow.0.read_to_end(&mut rest).await.unwrap();
    server.stop().await;
}

/// A session whose handler never returns, or whose messages are handled elsewhere; it takes
/// no longer text than one byte.
#[derive(Debug)]
struct Busy {
    is_elsewhere: bool,
}

impl Session for Busy {
    fn accept(&mut self, message: RawMessage) -> Result<Option<Incoming>, Fault> {
        match &message {
            RawMessage::Text(text) if text.len() > 1 => {
                Err(Fault { message: None, close: Close::NOT_V1 })
            }
            _ => Ok(Some(Incoming::plain(message))),
        }
    }

    fn handle(&self, _: Vec<Incoming>, _: Waker) -> JoinHandle<()> {
        match self.is_elsewhere {
            true => tokio::spawn(ready(())),
            false => tokio::spawn(pending()),
        }
    }

    fn handled(&self) -> Option<u64> {
        None
    }

    fn acknowledge(&mut self, _: u64) -> bool {
        false
    }

    fn is_elsewhere(&self) -> bool {
        self.is_elsewhere
    }

    fn sequence(&self) -> Option<[u8; 16]> {
        None
    }

    fn permit(&self) -> Option<&SharedPermit> {
        None
    }

    fn leave(&mut self, _: DisconnectReason, _: Option<JoinHandle<()>>, _: Vec<Incoming>) {}
}

/// Adds a client whose first message is handled for ever, to a server that takes messages
/// of 100 bytes.
async fn join_busy(heartbeat: Duration, speaks: Speaks) -> (Server, Peer<DuplexStream>) {
    join_as(Busy { is_elsewhere: false }, heartbeat, speaks).await
}

async fn join_as(busy: Busy, heartbeat: Duration, speaks: Speaks) -> (Server, Peer<DuplexStream>) {
    let accepts = AcceptPolicy::Messages { max_bytes: 100, max_frame_bytes: 100 };
    let policy = SubscriberPolicy { accepts, ..policy(QueueLimits::default(), heartbeat) };
    let server = Server::start_with(1, policy);
    let session: Option<Box<dyn Session>> = Some(Box::new(busy));
    let new_subscriber = NewSubscriber { speaks, session, ..new_subscriber() };
    let peer = server.enter_as(new_subscriber, None, None, 10_000).await;
    (server, peer)
}

/// Sends bytes in two parts that come one after the other.
async fn say_in_two(peer: &mut Peer<DuplexStream>, bytes: &[u8]) {
    let (first, rest) = bytes.split_at(bytes.len() - 1);
    for part in [first, rest] {
        peer.0.write_all(part).await.unwrap();
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_isnt_read_doesnt_send_too_slowly() {
    let (_server, mut peer) = join_busy(HEARTBEAT, Speaks::Plain).await;
    say_in_two(&mut peer, &masked(TEXT, b"1")).await;
    // The last one for which there is room is kept by the decoder.
    say_in_two(&mut peer, &masked(TEXT, b"2").repeat(64)).await;
    peer.say(TEXT, b"3").await;
    for _ in 0..4 {
        assert_eq!(peer.receive().await, Some((PING, Vec::new())));
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_to_be_told_of_its_fault_doesnt_send_too_slowly() {
    let (_server, mut peer) = join_busy(Duration::from_secs(1), Speaks::Plain).await;
    peer.say(TEXT, b"1").await;
    say_in_two(&mut peer, &masked(TEXT, b"no message")).await;
    let last = loop {
        match peer.receive().await.unwrap() {
            (PING, _) => peer.say(PONG, b"").await,
            (_, payload) => break payload,
        }
    };
    assert_eq!(last, Close::NOT_V1.frame()[2..]);
}

/// Such as one that the client had given up: so it comes back.
#[tokio::test(start_paused = true)]
async fn whose_messages_another_connection_has_is_told() {
    let speaks = Speaks::V1;
    let (_server, mut peer) = join_as(Busy { is_elsewhere: true }, HEARTBEAT, speaks).await;
    peer.say(TEXT, b"1").await;
    let last = loop {
        match peer.receive().await.unwrap() {
            (CLOSE, payload) => break payload,
            (first, _) => assert!([PING, TEXT].contains(&first)),
        }
    };
    assert_eq!(last, Close::ELSEWHERE.frame()[2..]);
}

#[tokio::test(start_paused = true)]
async fn who_sends_too_slowly_is_told_whether_to_come_back() {
    let both = [(Speaks::Plain, Close::TRICKLES), (Speaks::V1, Close::TRICKLES_V1)];
    for (speaks, close) in both {
        let (_server, mut peer) = join_busy(HEARTBEAT, speaks).await;
        for byte in &masked(TEXT, &[b'1'; 100])[..20] {
            // In the end, nobody is there.
            let _ = peer.0.write_all(&[*byte]).await;
            sleep(Duration::from_secs(4)).await;
        }
        let last = loop {
            match peer.receive().await.unwrap() {
                (CLOSE, payload) => break payload,
                (first, _) => assert!([PING, TEXT].contains(&first)),
            }
        };
        assert_eq!(last, close.frame()[2..]);
    }
}
