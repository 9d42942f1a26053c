//! The engine as the rest of the server knows it: what is sent arrives, in
//! order, or its client is told why not.

mod delivery;
mod end;
mod history;
mod keys;
mod life;
mod link;
mod model;
mod presence;
mod recovery;
mod restart;
mod slow;
mod v1;

use std::future::{pending, ready};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pode_core::Message;
use pode_core::frame::AcceptPolicy;
use pode_core::hub::{Hub, Log, LogBounds, Position};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use self::link::{Link, Stream, tcp_pair};
use super::policy::QueueLimits;
use super::*;

const TEXT: u8 = 0x81;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const CLOSE: u8 = 0x88;

/// An engine for one path, and its hub.
struct Server {
    hub: Hub<Envelope>,
    engine: Engine,
}

fn limits(messages: usize, bytes: usize) -> QueueLimits {
    QueueLimits { messages, bytes, ..QueueLimits::default() }
}

fn policy(limits: QueueLimits, heartbeat: Duration) -> SubscriberPolicy {
    let nothing = AcceptPolicy::Nothing;
    let policy = SubscriberPolicy::new(limits.on_lag, heartbeat, Duration::ZERO, nothing, None);
    SubscriberPolicy { limits, ..policy }
}

/// A subscriber without groups, greeting or session.
fn new_subscriber() -> NewSubscriber {
    static LATEST: AtomicU64 = AtomicU64::new(0);
    let id = LATEST.fetch_add(1, Ordering::Relaxed).to_string();
    NewSubscriber {
        speaks: Speaks::Plain,
        id: id.parse().unwrap(),
        path: None,
        groups: Groups::default(),
        greeting: Vec::new(),
        session: None,
        permit: None,
        refusal: None,
    }
}

impl Server {
    fn start(capacity_messages: usize, limits: QueueLimits) -> Server {
        let policy = policy(limits, Duration::ZERO);
        Server::start_with(capacity_messages, policy)
    }

    fn start_with(capacity_messages: usize, policy: SubscriberPolicy) -> Server {
        Server::of(Hub::new([("/", capacity_messages)]), policy)
    }

    /// Starts one that keeps messages.
    fn keep(bounds: LogBounds, policy: SubscriberPolicy) -> Server {
        let log = Log::new(Position { epoch: 7, number: 0 }, bounds);
        Server::of(Hub::with_logs([("/", 16, Some(log))]), policy)
    }

    fn of(
        (hub, receivers): (Hub<Envelope>, Vec<hub::Receiver<Envelope>>),
        policy: SubscriberPolicy,
    ) -> Server {
        Server {
            hub,
            engine: Engine::with_shards(2, receivers, |_| policy, None, &Failure::default(), None)
                .unwrap(),
        }
    }

    async fn send(&self, payload: &str) {
        let permit = self.hub.channel("/").unwrap().reserve().await.unwrap();
        permit.send(Envelope::Broadcast(Message::text(payload))).unwrap();
    }

    /// Sends a command, after the messages sent before.
    async fn command(&self, command: Command) {
        let permit = self.hub.channel("/").unwrap().reserve().await.unwrap();
        permit.send(Envelope::Command(Arc::new(command))).unwrap();
    }

    async fn send_numbers(&self, count: usize) {
        for number in 0..count {
            self.send(&number.to_string()).await;
        }
    }

    /// Adds a client whose connection buffers this many bytes each way.
    async fn join(&self, buffer_bytes: usize) -> Peer<DuplexStream> {
        let (peer, socket) = duplex(buffer_bytes);
        assert!(self.subscribe(Connection::portable(socket)).await);
        Peer(peer)
    }

    /// Adds a client over system sockets.
    async fn join_by(&self, link: Link) -> Peer<Box<dyn Stream>> {
        let (peer, connection) = link.connect().await;
        assert!(self.subscribe(connection).await);
        Peer(peer)
    }

    async fn subscribe(&self, connection: Connection) -> bool {
        self.adopt_by(ready(Some(connection))).await
    }

    async fn adopt_by(
        &self,
        opening: impl Future<Output = Option<Connection>> + Send + 'static,
    ) -> bool {
        self.adopt_at("/", opening).await
    }

    async fn adopt_at(
        &self,
        path: &'static str,
        opening: impl Future<Output = Option<Connection>> + Send + 'static,
    ) -> bool {
        let new_subscriber = new_subscriber();
        let client = Audience::client(None, new_subscriber.id.clone());
        let Some(arrival) = self.engine.subscribe_connection(path, new_subscriber, opening).await
        else {
            return false;
        };
        let permit = self.hub.channel(path).unwrap().reserve().await.unwrap();
        permit
            .send(Envelope::Command(Arc::new(Command::Admit {
                client,
                arrival,
                since: None,
                hello: None,
            })))
            .unwrap();
        true
    }

    /// Adds a client and waits until its connection is open.
    async fn join_open(&self, buffer_bytes: usize) -> Peer<DuplexStream> {
        let mut peer = self.join(buffer_bytes).await;
        peer.say(PING, b"").await;
        assert_eq!(peer.receive().await, Some((PONG, Vec::new())));
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
    async fn receive(&mut self) -> Option<(u8, Vec<u8>)> {
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
            match self.receive().await {
                Some((TEXT, payload)) => String::from_utf8(payload).unwrap(),
                other => panic!("not a text at {caller}: {other:?}"),
            }
        }
    }

    /// Waits for a close frame after texts that are numbers in order, and
    /// returns how many came.
    async fn hear_numbers_until_close(&mut self) -> (usize, u16) {
        let mut numbers = 0;
        loop {
            match self.receive().await.unwrap() {
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
