//! The engine as the rest of the server knows it: what is sent arrives, in
//! order, or its client is told why not.

mod link;

use std::future::{pending, ready};
use std::time::Duration;

use pode_core::Message;
use pode_core::hub::Hub;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use self::link::{Link, Stream, tcp_pair};
use super::*;
use crate::OnLag;

const HEARTBEAT: Duration = Duration::from_secs(25);

const TEXT: u8 = 0x81;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const CLOSE: u8 = 0x88;

/// An engine for one path, and what to send with.
struct Server {
    hub: Hub,
    engine: Engine,
}

fn limits(messages: usize, bytes: usize) -> QueueLimits {
    QueueLimits { messages, bytes, ..QueueLimits::default() }
}

impl Server {
    fn start(capacity_messages: usize, limits: QueueLimits) -> Server {
        let treatment = Treatment { limits, heartbeat: Duration::ZERO };
        Server::start_with(capacity_messages, treatment)
    }

    fn start_with(capacity_messages: usize, treatment: Treatment) -> Server {
        let (hub, deliveries) = Hub::new([("/", capacity_messages)]);
        Server { hub, engine: Engine::with_shards(2, deliveries, |_| treatment).unwrap() }
    }

    async fn send(&self, payload: &str) {
        let room = self.hub.channel("/").unwrap().reserve().await.unwrap();
        room.send(Message::text(payload)).unwrap();
    }

    async fn send_numbers(&self, count: usize) {
        for number in 0..count {
            self.send(&number.to_string()).await;
        }
    }

    /// Takes in a client whose connection holds so many bytes each way.
    async fn join(&self, buffer_bytes: usize) -> Peer<DuplexStream> {
        let (peer, socket) = duplex(buffer_bytes);
        assert!(self.adopt(Connection::portable(socket)).await);
        Peer(peer)
    }

    /// Takes in a client over the system's sockets.
    async fn join_by(&self, link: Link) -> Peer<Box<dyn Stream>> {
        let (peer, connection) = link.connect().await;
        assert!(self.adopt(connection).await);
        Peer(peer)
    }

    async fn adopt(&self, connection: Connection) -> bool {
        self.engine.adopt_connection("/", ready(Some(connection))).await
    }

    /// Takes in a client and waits until its connection is open.
    async fn join_open(&self, buffer_bytes: usize) -> Peer<DuplexStream> {
        let mut peer = self.join(buffer_bytes).await;
        peer.say(PING, b"").await;
        assert_eq!(peer.hear().await, Some((PONG, Vec::new())));
        peer
    }

    /// Stops, without a deadline that could hide a client that stays.
    async fn stop(&self) {
        self.engine.stop(Instant::now() + Duration::from_secs(3600)).await;
    }
}

/// The other end of a client's connection.
struct Peer<S>(S);

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// Sends a masked frame.
    async fn say(&mut self, first: u8, payload: &[u8]) {
        self.0.write_all(&masked(first, payload)).await.unwrap();
    }

    /// Waits for the next frame; `None` at the end of the connection.
    async fn hear(&mut self) -> Option<(u8, Vec<u8>)> {
        let first = self.0.read_u8().await.ok()?;
        let length = match self.0.read_u8().await.unwrap() {
            126 => self.0.read_u16().await.unwrap().into(),
            127 => self.0.read_u64().await.unwrap() as usize,
            length => length.into(),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.unwrap();
        Some((first, payload))
    }

    #[track_caller]
    fn hear_text(&mut self) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        async move {
            match self.hear().await {
                Some((TEXT, payload)) => String::from_utf8(payload).unwrap(),
                other => panic!("not a text at {caller}: {other:?}"),
            }
        }
    }

    /// Waits for a close frame after some texts, and returns how many of
    /// these came, being numbers in order.
    async fn hear_numbers_until_close(&mut self) -> (usize, u16) {
        let mut numbers = 0;
        loop {
            match self.hear().await.unwrap() {
                (TEXT, payload) => assert_eq!(payload, numbers.to_string().as_bytes()),
                (CLOSE, payload) => {
                    return (numbers, u16::from_be_bytes([payload[0], payload[1]]));
                }
                other => panic!("{other:?}"),
            }
            numbers += 1;
        }
    }
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() <= 125);
    let mask = [1, 2, 3, 4];
    let mut frame = vec![first, 0x80 | payload.len() as u8];
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

async fn every_message_arrives_in_order() {
    // They are read from one after the other, so all may wait for the last.
    let server = Server::start(128, limits(10_000, usize::MAX));
    let mut peers = Vec::new();
    for link in Link::all() {
        peers.extend([server.join_by(link).await, server.join_by(link).await]);
    }
    let sending = tokio::spawn(async move {
        server.send_numbers(10_000).await;
        server
    });
    for peer in &mut peers {
        for number in 0..10_000 {
            assert_eq!(peer.hear_text().await, number.to_string());
        }
    }
    drop(peers);
    sending.await.unwrap().stop().await;
}

#[tokio::test]
async fn every_message_arrives_in_order_on_one_thread() {
    every_message_arrives_in_order().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_message_arrives_in_order_on_several_threads() {
    every_message_arrives_in_order().await;
}

/// Large texts come piecemeal, and several of them at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn large_messages_arrive_whole() {
    for link in Link::all() {
        let server = Server::start(16, limits(1024, usize::MAX));
        let mut peer = server.join_by(link).await;
        let text = |number: usize| number.to_string().repeat(number * 5_000);
        let sending = async {
            for number in 0..40 {
                server.send(&text(number)).await;
            }
        };
        let hearing = async {
            for number in 0..40 {
                assert!(peer.hear_text().await == text(number), "{link:?}: {number}");
            }
        };
        tokio::join!(sending, hearing);
        drop(peer);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_large_crowd_is_served_by_all_shards() {
    let server = Server::start(16, QueueLimits::default());
    let mut peers = Vec::new();
    for _ in 0..2_500 {
        peers.push(server.join(1000).await);
    }
    server.send_numbers(3).await;
    for peer in &mut peers {
        for number in 0..3 {
            assert_eq!(peer.hear_text().await, number.to_string());
        }
    }
    drop(peers);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn frames_stay_whole_when_sockets_take_them_piecemeal() {
    let server = Server::start(16, QueueLimits::default());
    for buffer_bytes in [1, 2, 7, 100, 1000] {
        let mut peer = server.join(buffer_bytes).await;
        let texts: Vec<_> = (0..70).map(|number| "x".repeat(number * 3)).collect();
        let sending = async {
            for text in &texts {
                server.send(text).await;
            }
        };
        let hearing = async {
            for text in &texts {
                assert_eq!(&peer.hear_text().await, text);
            }
        };
        tokio::join!(sending, hearing);
    }
    server.stop().await;
}

/// On one thread, so that a shard learns of a client only after the message:
/// also of its first, for which it takes the path up.
#[tokio::test]
async fn who_joined_before_a_message_gets_it_in_any_shard() {
    let server = Server::start(2_000, limits(2_000, usize::MAX));
    let mut peers = Vec::new();
    for number in 0..1_200 {
        peers.push(server.join(1000).await);
        let room = server.hub.channel("/").unwrap().try_reserve().unwrap();
        room.send(Message::text(&number.to_string())).unwrap();
    }
    for (joined, mut peer) in peers.into_iter().enumerate().rev() {
        let first: usize = peer.hear_text().await.parse().unwrap();
        assert!(first <= joined, "{first} was the first for client {joined}");
        for number in first + 1..1_200 {
            assert_eq!(peer.hear_text().await, number.to_string());
        }
    }
}

#[tokio::test]
async fn a_message_sent_while_a_connection_opens_is_not_missed() {
    let server = Server::start(1, QueueLimits::default());
    let (peer, socket) = duplex(1000);
    let (opened, opening) = oneshot::channel();
    let opening = async { opening.await.ok() };
    assert!(server.engine.adopt_connection("/", opening).await);
    server.send("early").await;
    server.send("later").await;
    opened.send(Connection::portable(socket)).unwrap();
    let mut peer = Peer(peer);
    assert_eq!(peer.hear_text().await, "early");
    assert_eq!(peer.hear_text().await, "later");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_is_cut_off_and_others_miss_nothing() {
    let server = Server::start(64, QueueLimits::default());
    let mut slow = server.join_open(50).await;
    let mut quick = server.join_open(1 << 20).await;
    server.send_numbers(3_000).await;
    for number in 0..3_000 {
        assert_eq!(quick.hear_text().await, number.to_string());
    }
    // The frames that its socket had taken, the one that was begun, and
    // then the reason.
    let (heard, code) = slow.hear_numbers_until_close().await;
    assert_eq!(code, 1013);
    assert!(heard < 20, "{heard}");
    slow.say(CLOSE, b"\x03\xf5").await;
    assert_eq!(slow.hear().await, None);

    server.send("on").await;
    assert_eq!(quick.hear_text().await, "on");
    drop(quick);
    server.stop().await;
}

/// The same over real sockets, for which the system holds some of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_that_never_reads_is_cut_off_over_any_link() {
    let text = "x".repeat(60_000);
    for link in Link::all() {
        let server = Server::start(4, QueueLimits::default());
        let mut slow = server.join_by(link).await;
        let mut quick = server.join_by(link).await;
        for _ in 0..200 {
            server.send(&text).await;
            assert!(quick.hear_text().await == text);
        }
        let mut heard = 0;
        let code = loop {
            match slow.hear().await {
                Some((TEXT, payload)) => assert!(payload == text.as_bytes()),
                Some((CLOSE, payload)) => break payload[..2].to_vec(),
                other => panic!("{link:?}: {other:?}"),
            }
            heard += 1;
        };
        assert_eq!(code, 1013_u16.to_be_bytes());
        assert!(heard < 180, "{link:?}: {heard}");
        slow.say(CLOSE, b"\x03\xf5").await;
        assert_eq!(slow.hear().await, None);
        drop(quick);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_slow_client_may_skip_and_goes_on_in_order() {
    for on_lag in [OnLag::Skip, OnLag::Latest] {
        let server = Server::start(64, QueueLimits { on_lag, ..limits(8, 10_000) });
        let (mut quick, mut slow) = (server.join(100_000).await, server.join_open(1).await);
        server.send_numbers(100).await;
        // Everything has been offered to the slow one when the quick one has it.
        for number in 0..100 {
            assert_eq!(quick.hear_text().await, number.to_string());
        }
        drop(quick);
        let hear = async {
            let mut heard: Vec<usize> = Vec::new();
            while let Some((TEXT, payload)) = slow.hear().await {
                heard.push(String::from_utf8(payload).unwrap().parse().unwrap());
            }
            // That was the server's close frame.
            slow.say(CLOSE, b"\x03\xe9").await;
            heard
        };
        let (heard, ()) = tokio::join!(hear, server.stop());
        assert!(heard.is_sorted() && heard.len() < 20, "{on_lag:?}: {heard:?}");
        assert_eq!(heard[0], 0);
        // One keeps the first that waited, the other the last.
        assert_eq!(heard.contains(&99), on_lag == OnLag::Latest, "{heard:?}");
        assert_eq!(heard.contains(&5), on_lag == OnLag::Skip, "{heard:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_takes_its_close_frame_is_dropped() {
    let server = Server::start(64, limits(1, 1000));
    let mut slow = server.join_open(5).await;
    server.send_numbers(100).await;
    sleep(Duration::from_secs(6)).await;
    let mut heard = Vec::new();
    slow.0.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"\x81\x010\x81\x01");
    server.stop().await;
}

#[tokio::test]
async fn the_queue_is_bounded_in_bytes() {
    let server = Server::start(64, limits(1000, 10_000));
    let mut slow = server.join_open(1).await;
    let text = "x".repeat(3_000);
    // One is begun, three more fit.
    for _ in 0..5 {
        server.send(&text).await;
    }
    assert_eq!(slow.hear_text().await, text);
    assert_eq!(slow.hear().await.unwrap().1[..2], 1013_u16.to_be_bytes());
}

#[tokio::test]
async fn a_single_message_may_be_larger_than_the_queue() {
    let server = Server::start(64, limits(1000, 10));
    let mut peer = server.join(100).await;
    let text = "x".repeat(200_000);
    server.send(&text).await;
    assert_eq!(peer.hear_text().await, text);
    server.send(&text).await;
    assert_eq!(peer.hear_text().await, text);
}

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
            let (first, payload) = peer.hear().await.unwrap();
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
            assert_eq!(peer.hear().await, Some((PONG, b"?".to_vec())));
        }
    };
    tokio::join!(async { flood.await.unwrap() }, hearing);
}

/// Checks with which close frame some bytes are answered, and that the
/// connection ends after it.
async fn check_close(bytes: &[u8], code: &[u8]) {
    let server = Server::start(1, QueueLimits::default());
    let mut peers: Vec<Box<dyn Stream>> =
        vec![Box::new(server.join(1).await.0), Box::new(server.join(1000).await.0)];
    for link in Link::all() {
        peers.push(server.join_by(link).await.0);
    }
    for mut peer in peers.into_iter().map(Peer) {
        peer.0.write_all(bytes).await.unwrap();
        let (first, payload) = peer.hear().await.unwrap();
        assert_eq!(first, CLOSE);
        assert_eq!(&payload[..payload.len().min(2)], code, "{bytes:x?}");
        assert_eq!(peer.hear().await, None);
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
    assert_eq!(peer.hear().await, Some((CLOSE, b"\x03\xe8".to_vec())));
    assert_eq!(peer.hear().await, None);
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
            assert_eq!(peer.hear().await, None);
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
        assert!(server.adopt(link.hold(connection)).await);
        let vanished = server.join(10).await;
        assert!(server.engine.adopt_connection("/", ready(None)).await);
        let mut stays = server.join(1 << 20).await;

        half_closed.0.shutdown().await.unwrap();
        assert_eq!(half_closed.hear().await, None);
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
            assert_eq!(peer.hear().await, None);
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
            assert_eq!(peer.hear().await, None);
        }
    };
    tokio::join!(stopping, hearing);
    assert!(server.hub.channel("/").unwrap().try_reserve().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_answers_no_longer_than_it_may() {
    let server = Server::start(1, QueueLimits::default());
    let mut silent = server.join(1000).await;
    let _full = server.join(1).await;
    assert!(server.engine.adopt_connection("/", pending()).await);
    server.send("last").await;
    let deadline = Instant::now() + Duration::from_secs(17);
    server.engine.stop(deadline).await;
    assert_eq!(Instant::now(), deadline);
    assert_eq!(silent.hear_text().await, "last");
    assert_eq!(silent.hear_numbers_until_close().await, (0, 1001));
    assert_eq!(silent.hear().await, None);
}

/// Time jumps ahead when all that is left is to wait for it.
#[tokio::test(start_paused = true)]
async fn a_client_that_gives_no_sign_of_life_is_dropped() {
    let limits = QueueLimits::default();
    let server = Server::start_with(1, Treatment { limits, heartbeat: HEARTBEAT });
    let mut silent = server.join_open(1000).await;
    let mut lively = server.join_open(1000).await;
    let started = Instant::now();
    let listening = async {
        assert_eq!(silent.hear().await, Some((PING, Vec::new())));
        assert!(started.elapsed() <= HEARTBEAT + Duration::from_secs(1));
        assert_eq!(silent.hear().await, None, "without a word");
        assert!(started.elapsed() <= HEARTBEAT * 2 + Duration::from_secs(1));
    };
    let answering = async {
        for _ in 0..10 {
            assert_eq!(lively.hear().await, Some((PING, Vec::new())));
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
    let server = Server::start_with(1, Treatment { limits, heartbeat: HEARTBEAT });
    let mut slow = server.join_open(10).await;
    server.send(&"x".repeat(200)).await;
    let mut heard = vec![0; 4 + 200];
    for bytes in heard.chunks_mut(10) {
        // So slowly that its pings are late by many heartbeats.
        sleep(HEARTBEAT - Duration::from_secs(2)).await;
        slow.0.read_exact(bytes).await.unwrap();
    }
    assert_eq!(slow.hear().await, Some((PING, Vec::new())));
    sleep(HEARTBEAT * 3).await;
    let mut rest = Vec::new();
    slow.0.read_to_end(&mut rest).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn nobody_is_taken_in_where_there_is_nothing_to_hear() {
    let server = Server::start(1, QueueLimits::default());
    assert!(!server.engine.adopt_connection("/elsewhere", ready(None)).await);
    server.stop().await;
    assert!(!server.engine.adopt_connection("/", ready(None)).await);
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
    assert_eq!(peer.hear().await, None);
}

#[tokio::test]
async fn connections_end_with_the_last_handle() {
    let server = Server::start(1, QueueLimits::default());
    let mut peer = server.join(1000).await;
    server.send("open").await;
    assert_eq!(peer.hear_text().await, "open");
    drop(server.engine);
    assert_eq!(peer.hear_numbers_until_close().await, (0, 1001));
    assert_eq!(peer.hear().await, None);
}
