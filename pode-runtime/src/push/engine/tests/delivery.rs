//! Every message arrives, whole and in order, at every client that had joined.

use super::*;

async fn every_message_arrives_in_order() {
    // The peers are read one after the other, so all messages may wait for the
    // last.
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

/// Large texts arrive in pieces, and several of them at once.
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

/// On one thread, so that a shard gets a client only after the message; this
/// includes its first client, with which it starts to receive the path.
#[tokio::test]
async fn who_joined_before_a_message_gets_it_in_any_shard() {
    let server = Server::start(2_000, limits(2_000, usize::MAX));
    let mut peers = Vec::new();
    for number in 0..1_200 {
        peers.push(server.join(1000).await);
        let permit = server.hub.channel("/").unwrap().try_reserve().unwrap();
        permit.send(Envelope::Broadcast(Message::text(&number.to_string()))).unwrap();
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
    assert!(server.adopt_by(opening).await);
    server.send("early").await;
    server.send("later").await;
    opened.send(Connection::portable(socket)).unwrap();
    let mut peer = Peer(peer);
    assert_eq!(peer.hear_text().await, "early");
    assert_eq!(peer.hear_text().await, "later");
}
