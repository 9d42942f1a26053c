//! How connections end: with a close frame, without one, or with the server.

use std::task::Waker;

use futures_util::FutureExt;
use pode_core::frame::Close;
use tokio::task::JoinHandle;
use tokio::task::coop::unconstrained;

use super::shard::SOCKETS_PER_TURN;
use super::*;
use crate::net::connection_limit::SharedPermit;
use crate::push::raw_message::RawMessage;
use crate::push::session::{Fault, Incoming};

/// Checks which close frame answers some bytes, and that the connection ends
/// after it.
async fn check_close(bytes: &[u8], code: &[u8]) {
    let server = Server::start(1, QueueLimits::default());
    let mut peers: Vec<Box<dyn Stream>> =
        vec![Box::new(server.join(1).await.0), Box::new(server.join(1000).await.0)];
    for link in Link::all() {
        peers.push(server.join_by(link).await.0);
    }
    for mut peer in peers.into_iter().map(Peer) {
        peer.0.write_all(bytes).await.unwrap();
        let (first, payload) = peer.receive().await.unwrap();
        assert_eq!(first, CLOSE);
        assert_eq!(&payload[..payload.len().min(2)], code, "{bytes:x?}");
        assert_eq!(peer.receive().await, None);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_close_is_answered_with_its_code() {
    check_close(&masked(CLOSE, b""), b"").await;
    check_close(&masked(CLOSE, b"\x03\xe8"), b"\x03\xe8").await;
    check_close(&masked(CLOSE, b"\x03\xe9going away"), b"\x03\xe9").await;
    check_close(&masked(CLOSE, b"\x0f\xa0"), b"\x0f\xa0").await;
}

#[tokio::test]
async fn each_fault_has_its_close_code() {
    let protocol_error = 1002_u16.to_be_bytes();
    check_close(&masked(CLOSE, b"\x03"), &protocol_error).await;
    check_close(&masked(CLOSE, b"\x03\xed"), &protocol_error).await;
    check_close(&masked(CLOSE, b"\x03\xe8\xff"), &1007_u16.to_be_bytes()).await;
    check_close(&masked(TEXT, b"hi"), &1003_u16.to_be_bytes()).await;
    check_close(&masked(0x02, b"hi"), &1003_u16.to_be_bytes()).await;
    check_close(&masked(0x80, b"hi"), &protocol_error).await;
    check_close(&masked(0xc1, b"hi"), &protocol_error).await;
    check_close(&masked(0x85, b"hi"), &protocol_error).await;
    check_close(&masked(0x09, b"hi"), &protocol_error).await;
    check_close(b"\x89\x02hi", &protocol_error).await;
    check_close(b"\x89\xfe\x00\x7e", &protocol_error).await;
}

#[tokio::test]
async fn the_answer_to_a_close_reaches_a_client_that_has_stopped_writing() {
    let server = Server::start(1, QueueLimits::default());
    let mut peer = server.join(1).await;
    peer.say(CLOSE, b"\x03\xe8").await;
    peer.0.shutdown().await.unwrap();
    assert_eq!(peer.receive().await, Some((CLOSE, b"\x03\xe8".to_vec())));
    assert_eq!(peer.receive().await, None);
    server.stop().await;
}

#[tokio::test]
async fn a_close_frame_is_not_lost_behind_what_nobody_reads() {
    for link in Link::all() {
        let server = Server::start(1, QueueLimits::default());
        let Peer(peer) = server.join_by(link).await;
        let (reading, mut writing) = tokio::io::split(peer);
        let (heard, hearing) = oneshot::channel();
        let talking = async {
            writing.write_all(&masked(TEXT, b"to whom it may concern")).await.unwrap();
            let more = vec![7; 1 << 20];
            writing.write_all(&more).await.unwrap();
            let () = hearing.await.unwrap();
            writing.shutdown().await.unwrap();
        };
        let listening = async {
            let mut peer = Peer(tokio::io::join(reading, tokio::io::sink()));
            assert_eq!(peer.hear_numbers_until_close().await, (0, 1003));
            assert_eq!(peer.receive().await, None);
            heard.send(()).unwrap();
        };
        tokio::join!(talking, listening);
        server.stop().await;
    }
}

#[tokio::test]
async fn clients_that_leave_without_a_word_disturb_nobody() {
    for link in Link::all() {
        let server = Server::start(4, QueueLimits::default());
        let mut half_closed = server.join_by(link).await;
        let (reset, connection) = tcp_pair().await;
        assert!(server.subscribe(link.hold(connection)).await);
        let vanished = server.join(10).await;
        assert!(server.adopt_by(ready(None)).await);
        let mut stays = server.join(1 << 20).await;

        half_closed.0.shutdown().await.unwrap();
        assert_eq!(half_closed.receive().await, None);
        reset.set_zero_linger().unwrap();
        drop(reset);
        drop(vanished);

        server.send_numbers(1_000).await;
        for number in 0..1_000 {
            assert_eq!(stays.hear_text().await, number.to_string());
        }
        drop(stays);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_stop_reaches_clients_over_any_link() {
    for link in Link::all() {
        let server = Server::start(128, QueueLimits::default());
        let mut peer = server.join_by(link).await;
        server.send_numbers(100).await;
        let hearing = async {
            assert_eq!(peer.hear_numbers_until_close().await, (100, 1001));
            peer.say(CLOSE, b"\x03\xe9").await;
            assert_eq!(peer.receive().await, None);
        };
        tokio::join!(server.stop(), hearing);
    }
}

#[tokio::test]
async fn a_stop_is_announced_after_the_last_message() {
    let server = Server::start(128, QueueLimits::default());
    let peers = [server.join(7).await, server.join(1 << 20).await];
    server.send_numbers(100).await;
    let stopping = server.stop();
    let hearing = async {
        for mut peer in peers {
            assert_eq!(peer.hear_numbers_until_close().await, (100, 1001));
            peer.say(CLOSE, b"\x03\xe9").await;
            assert_eq!(peer.receive().await, None);
        }
    };
    tokio::join!(stopping, hearing);
    assert!(server.hub.channel("/").unwrap().try_reserve().is_err());
}

#[tokio::test]
async fn a_stop_is_announced_after_the_last_message_of_each_path() {
    // A shard handles messages or the stop first, at random.
    for _ in 0..8 {
        stop_many_paths().await;
    }
}

/// Stops while a message is due on more paths than a task may look at before it
/// yields.
async fn stop_many_paths() {
    let paths: Vec<&str> = (0..300).map(|number| &*format!("/{number}").leak()).collect();
    let (hub, receivers) = Hub::new(paths.iter().map(|path| (*path, 1)));
    let policy = |_: &str| policy(QueueLimits::default(), Duration::ZERO);
    let server = Server {
        hub,
        engine: Engine::with_shards(1, receivers, policy, None, &Failure::default(), None).unwrap(),
    };
    let mut peers = Vec::new();
    for path in &paths {
        let (peer, socket) = duplex(1000);
        assert!(server.adopt_at(path, ready(Some(Connection::portable(socket)))).await);
        peers.push(Peer(peer));
    }
    for peer in &mut peers {
        peer.say(PING, b"").await;
        assert_eq!(peer.receive().await, Some((PONG, Vec::new())));
    }
    for path in &paths {
        // Without awaiting, so that all messages are sent before the stop.
        let permit = server.hub.channel(path).unwrap().try_reserve().unwrap();
        permit.send(Envelope::Broadcast(Message::text("0"))).unwrap();
    }
    let hearing = async {
        for peer in &mut peers {
            assert_eq!(peer.hear_numbers_until_close().await, (1, 1001));
            peer.say(CLOSE, b"\x03\xe9").await;
        }
    };
    tokio::join!(server.stop(), hearing);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_a_second_for_who_does_nothing() {
    let server = Server::start(1, QueueLimits::default());
    let mut silent = server.join(1000).await;
    let _full = server.join(1).await;
    assert!(server.adopt_by(pending()).await);
    server.send("last").await;
    let started = Instant::now();
    server.stop().await;
    assert_eq!(started.elapsed().as_secs(), 1);
    assert_eq!(silent.hear_text().await, "last");
    assert_eq!(silent.hear_numbers_until_close().await, (0, 1001));
    assert_eq!(silent.receive().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_until_its_deadline_for_who_still_reads() {
    for (length, is_complete) in [(10, true), (100, false)] {
        let server = Server::start(1, QueueLimits::default());
        let Peer(mut slow) = server.join(1).await;
        server.send(&"x".repeat(length)).await;
        let deadline = Instant::now() + Duration::from_secs(17);
        let reading = async {
            let mut read = Vec::new();
            while slow.read_buf(&mut read).await.unwrap() > 0 {
                sleep(Duration::from_millis(400)).await;
            }
            read
        };
        let (_, read) = tokio::join!(server.engine.stop(deadline), reading);
        assert_eq!(read.ends_with(&Close::STOPPING.frame()), is_complete, "{read:?}");
        assert_eq!(Instant::now() < deadline, is_complete);
    }
}

#[tokio::test]
async fn nobody_is_taken_in_where_there_is_nothing_to_hear() {
    let server = Server::start(1, QueueLimits::default());
    assert!(!server.adopt_at("/elsewhere", ready(None)).await);
    server.stop().await;
    assert!(!server.adopt_by(ready(None)).await);
}

#[tokio::test]
async fn a_stop_that_nobody_waits_for_ends() {
    let server = Server::start(1, QueueLimits::default());
    let mut peer = server.join(1000).await;
    {
        let mut stopping = Box::pin(server.stop());
        tokio::select! {
            () = &mut stopping => unreachable!("the client hasn't answered"),
            heard = peer.hear_numbers_until_close() => assert_eq!(heard, (0, 1001)),
        }
    }
    drop(server.engine);
    assert_eq!(peer.receive().await, None);
}

#[tokio::test]
async fn connections_end_with_the_last_handle() {
    let server = Server::start(1, QueueLimits::default());
    let mut peer = server.join(1000).await;
    server.send("open").await;
    assert_eq!(peer.hear_text().await, "open");
    drop(server.engine);
    assert_eq!(peer.hear_numbers_until_close().await, (0, 1001));
    assert_eq!(peer.receive().await, None);
}

/// Closing thousands takes tens of milliseconds.
#[tokio::test]
async fn whoever_is_closed_others_have_their_turn() {
    let everyone = || Audience::everyone(None);
    let close = || Command::Close(everyone(), Close::answer_to(b""));
    let drain = || Command::Drain { share: EVERYBODY, code: 1000, reason: "" };
    for command in [Some(close()), Some(drain()), None] {
        let server = Server::start(8, QueueLimits::default());
        let mut peers = Vec::new();
        for _ in 0..1000 {
            peers.push(server.join(64).await);
        }
        // What was said before is answered by all.
        for peer in &mut peers {
            peer.say(PING, b"").await;
            assert_eq!(peer.receive().await, Some((PONG, Vec::new())));
        }
        let closing = async {
            match command {
                Some(command) => server.command(command).await,
                None => server.engine.stop(Instant::now() + Duration::from_secs(3600)).await,
            }
        };
        let watching = async {
            let mut most = 0;
            while !peers.is_empty() {
                let before = peers.len();
                // Beyond what a task may read at once.
                let read =
                    |peer: &mut Peer<DuplexStream>| unconstrained(peer.0.read_u8()).now_or_never();
                peers.retain_mut(|peer| read(peer).is_none());
                most = most.max(before - peers.len());
                tokio::task::yield_now().await;
            }
            most
        };
        let (_, most) = tokio::join!(closing, watching);
        assert!(most <= SOCKETS_PER_TURN, "{most} were closed at once");
    }
}

/// A session that tells how many clients there are when it ends.
#[derive(Debug)]
struct Counting {
    engine: Engine,
    counted: mpsc::UnboundedSender<usize>,
}

impl Session for Counting {
    fn accept(&mut self, message: RawMessage) -> Result<Option<Incoming>, Fault> {
        Ok(Some(Incoming::plain(message)))
    }

    fn handle(&self, _: Vec<Incoming>, _: Waker) -> JoinHandle<()> {
        tokio::spawn(ready(()))
    }

    fn handled(&self) -> Option<u64> {
        None
    }

    fn acknowledge(&mut self, _: u64) -> bool {
        false
    }

    fn is_elsewhere(&self) -> bool {
        false
    }

    fn sequence(&self) -> Option<[u8; 16]> {
        None
    }

    fn permit(&self) -> Option<&SharedPermit> {
        None
    }

    fn leave(&mut self, _: DisconnectReason, _: Option<JoinHandle<()>>, _: Vec<Incoming>) {
        self.counted.send(self.engine.clients()).unwrap();
    }
}

/// Whoever waits until no client is left then waits for the tasks of those that were.
#[tokio::test]
async fn a_client_counts_until_its_session_has_ended() {
    let server = Server::start(16, QueueLimits::default());
    let (counted, mut counts) = mpsc::unbounded_channel();
    for leaves in [true, false] {
        let session = Counting { engine: server.engine.clone(), counted: counted.clone() };
        let (mut peer, socket) = duplex(1000);
        let new_subscriber = NewSubscriber { session: Some(Box::new(session)), ..new_subscriber() };
        let opening = ready(Some(Connection::portable(socket)));
        server.engine.subscribe_connection("/", new_subscriber, opening).await.unwrap();
        match leaves {
            true => drop(peer),
            false => {
                peer.write_all(&masked(PING, b"")).await.unwrap();
                server.stop().await;
            }
        }
        assert_eq!(counts.recv().await, Some(1));
    }
}
