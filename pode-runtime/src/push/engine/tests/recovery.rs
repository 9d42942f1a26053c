//! A panic in a shard closes its own clients, which get a close frame, and
//! affects no other client.

use std::io;
use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;

use super::*;

/// A connection that panics this many times when it is read from.
struct Fragile {
    stream: DuplexStream,
    panics: Arc<AtomicUsize>,
}

impl AsyncRead for Fragile {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.panics.load(Ordering::Relaxed);
        if left > 0 {
            self.panics.store(left - 1, Ordering::Relaxed);
            panic!("as the test wants it");
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Fragile {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A server with two paths, each with a home shard of its own.
fn two_shards() -> Server {
    let policy = policy(QueueLimits::default(), Duration::ZERO);
    let (hub, receivers) = Hub::new([("/", 8), ("/other", 8)]);
    let engine =
        Engine::with_shards(2, receivers, |_| policy, None, &Failure::default(), None).unwrap();
    Server { hub, engine }
}

impl Server {
    async fn join_fragile(&self) -> (Peer<DuplexStream>, Arc<AtomicUsize>) {
        let (peer, stream) = duplex(1000);
        let panics = Arc::new(AtomicUsize::new(0));
        let fragile = Fragile { stream, panics: Arc::clone(&panics) };
        assert!(self.subscribe(Connection::portable(fragile)).await);
        let mut peer = Peer(peer);
        peer.say(PING, b"").await;
        assert_eq!(peer.receive().await, Some((PONG, Vec::new())));
        (peer, panics)
    }

    /// Waits until this many clients are left.
    async fn has_clients(&self, clients: usize) {
        let left = async {
            while self.engine.clients() != clients {
                sleep(Duration::from_millis(10)).await
            }
        };
        timeout(Duration::from_secs(30), left).await.expect("they leave");
    }
}

impl Peer<DuplexStream> {
    /// Waits for close code 1011 (the server failed), and answers it.
    async fn hear_failure(&mut self) {
        let (first, payload) = self.receive().await.unwrap();
        assert_eq!((first, &payload[..2]), (CLOSE, &1011_u16.to_be_bytes()[..]));
        self.say(CLOSE, &payload[..2]).await;
        assert_eq!(self.receive().await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_of_a_shard_that_panics_is_told_too() {
    let server = two_shards();
    let mut slow = server.join(10).await;
    let (mut fragile, panics) = server.join_fragile().await;
    server.send("more than the slow one has room for").await;
    assert_eq!(fragile.hear_text().await, "more than the slow one has room for");
    panics.store(1, Ordering::Relaxed);
    fragile.say(PING, b"").await;
    fragile.hear_failure().await;
    sleep(Duration::from_secs(4)).await;
    assert_eq!(slow.hear_text().await, "more than the slow one has room for");
    slow.hear_failure().await;
}

#[tokio::test]
async fn a_panic_closes_the_clients_of_its_shard_and_it_goes_on() {
    let server = two_shards();
    let mut neighbour = server.join_open(1000).await;
    let (mut fragile, panics) = server.join_fragile().await;
    let (peer, connection) = duplex(1000);
    assert!(server.adopt_at("/other", ready(Some(Connection::portable(connection)))).await);
    let mut other = Peer(peer);
    // A client that is admitted but not connected yet.
    let (open, opening) = oneshot::channel();
    assert!(server.adopt_by(async { opening.await.ok() }).await);
    server.send("before").await;
    assert_eq!(neighbour.hear_text().await, "before");
    assert_eq!(fragile.hear_text().await, "before");

    panics.store(1, Ordering::Relaxed);
    fragile.say(PING, b"").await;
    neighbour.hear_failure().await;
    fragile.hear_failure().await;
    let (peer, connection) = duplex(1000);
    open.send(Connection::portable(connection)).unwrap();
    let mut late = Peer(peer);
    late.hear_failure().await;
    server.has_clients(1).await;

    let mut new = server.join_open(1000).await;
    server.send("after").await;
    assert_eq!(new.hear_text().await, "after");
    let permit = server.hub.channel("/other").unwrap().reserve().await.unwrap();
    permit.send(Envelope::Broadcast(Message::text("undisturbed"))).unwrap();
    assert_eq!(other.hear_text().await, "undisturbed");
    assert_eq!(server.engine.clients(), 2);
    drop((new, other));
    server.has_clients(0).await;
    server.stop().await;
}

#[tokio::test]
async fn clients_of_a_shard_that_panics_once_more_are_dropped() {
    let server = two_shards();
    let mut neighbour = server.join_open(1000).await;
    let (mut fragile, panics) = server.join_fragile().await;
    panics.store(2, Ordering::Relaxed);
    fragile.say(PING, b"").await;
    // It got the close frame before it panicked again.
    assert_eq!(fragile.receive().await.map(|(first, _)| first), Some(CLOSE));
    assert_eq!(fragile.receive().await, None);
    assert_eq!(neighbour.receive().await.map(|(first, _)| first), Some(CLOSE));
    assert_eq!(neighbour.receive().await, None);
    server.has_clients(0).await;
    let mut new = server.join_open(1000).await;
    server.send("after").await;
    assert_eq!(new.hear_text().await, "after");
    drop(new);
    server.stop().await;
}

#[tokio::test]
async fn whatever_panics_again_and_again_messages_are_delivered() {
    let server = two_shards();
    for number in 0..3 {
        let (mut fragile, panics) = server.join_fragile().await;
        panics.store(1, Ordering::Relaxed);
        fragile.say(PING, b"").await;
        fragile.hear_failure().await;
        server.has_clients(0).await;
        // More than the channel holds, so that capacity must be freed.
        let mut new = server.join_open(1000).await;
        for number in 0..20 {
            server.send(&number.to_string()).await;
            assert_eq!(new.hear_text().await, number.to_string());
        }
        drop(new);
        server.has_clients(0).await;
        assert!(server.engine.shards.iter().all(|shard| !shard.is_closed()), "{number}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_question_is_answered_by_those_who_are_left() {
    let server = two_shards();
    let (mut fragile, panics) = server.join_fragile().await;
    panics.store(1, Ordering::Relaxed);
    fragile.say(PING, b"").await;
    let (query, answer) = Query::new();
    server.command(Command::Find(Audience::everyone(None), query)).await;
    // Answered before the panic, or after it.
    assert!(answer.await.unwrap().len() <= 1);
    server.stop().await;
}

#[tokio::test]
async fn who_gives_up_waiting_to_join_is_not_counted() {
    let server = two_shards();
    {
        let joining = server.engine.subscribe_connection("/", new_subscriber(), pending());
        // Joined, and never admitted.
        joining.await.unwrap();
    }
    assert_eq!(server.engine.clients(), 1);
    let mut waiting = Vec::new();
    // No shard takes them, since this task doesn't yield to the shards.
    for _ in 0..1000 {
        let joining = server.engine.subscribe_connection("/", new_subscriber(), pending());
        let mut joining = Box::pin(joining);
        let polled = futures_util::FutureExt::now_or_never(joining.as_mut());
        if polled.is_none() {
            waiting.push(joining);
        }
    }
    let counted = server.engine.clients();
    assert!(!waiting.is_empty());
    let gave_up = waiting.len();
    drop(waiting);
    assert_eq!(server.engine.clients(), counted - gave_up);
}
