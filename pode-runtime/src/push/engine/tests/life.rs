//! Pings and pongs: those of clients, and those of the heartbeat.

use super::*;

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
