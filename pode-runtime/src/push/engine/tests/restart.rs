//! Clients that come from another process, or are told to reconnect to one.

use pode_core::frame::Close;
use pode_core::hub::{LogBounds, Position};

use super::*;

const BOUNDS: LogBounds = LogBounds { messages: 3_000, age: None, bytes: 1 << 20 };

fn position(number: u64) -> Position {
    Position { epoch: 7, number }
}

impl Server {
    async fn publish(&self, audience: Audience, payload: &str) {
        let permit = self.hub.channel("/").unwrap().reserve().await.unwrap();
        Envelope::new(audience, Message::text(payload)).publish(permit).unwrap();
    }

    /// Adds a client that resumes from a position.
    async fn resume(&self, new_subscriber: NewSubscriber, since: Position) -> Peer<DuplexStream> {
        let (peer, socket) = duplex(1 << 20);
        let client = Audience::client(None, new_subscriber.id.clone());
        let opening = ready(Some(Connection::portable(socket)));
        let arrival = self.engine.subscribe_connection("/", new_subscriber, opening).await.unwrap();
        self.command(Command::Admit { client, arrival, since: Some(since), hello: None }).await;
        Peer(peer)
    }
}

fn to(recipients: Recipients, except: Option<&str>) -> Audience {
    Audience { except: except.map(|id| id.parse().unwrap()), ..Audience::of(None, recipients) }
}

#[tokio::test]
async fn who_comes_back_gets_what_was_meant_for_it_behind_its_greeting() {
    let server = Server::keep(BOUNDS, policy(QueueLimits::default(), Duration::ZERO));
    let everyone = || Audience::everyone(None);
    server.publish(everyone(), "before").await;
    for (audience, text) in [
        (everyone(), "to all"),
        (to(Recipients::Group("crew".into()), None), "to the crew"),
        (to(Recipients::Group("others".into()), None), "to others"),
        (to(Recipients::Client("ada".parse().unwrap()), None), "to ada"),
        (to(Recipients::Client("bob".parse().unwrap()), None), "to bob"),
        (to(Recipients::Everyone, Some("ada")), "to all but ada"),
        (to(Recipients::Everyone, Some("bob")), "to all but bob"),
        (Audience { path: Some("/elsewhere".into()), ..everyone() }, "elsewhere"),
    ] {
        server.publish(audience, text).await;
    }
    let ada = NewSubscriber {
        id: "ada".parse().unwrap(),
        groups: Groups::One("crew".into()),
        greeting: vec![Message::text("welcome")],
        ..new_subscriber()
    };
    let mut peer = server.resume(ada, position(1)).await;
    server.publish(everyone(), "after").await;
    for text in ["welcome", "to all", "to the crew", "to ada", "to all but bob", "after"] {
        assert_eq!(peer.hear_text().await, text);
    }
    drop(peer);
    server.stop().await;
}

/// Otherwise a client that missed much would be cut off at the next message.
#[tokio::test]
async fn what_was_missed_doesnt_count_as_slowness() {
    let server = Server::keep(BOUNDS, policy(limits(2, 10), Duration::ZERO));
    for number in 0..2_000 {
        server.publish(Audience::everyone(None), &number.to_string()).await;
    }
    let (peer, socket) = duplex(1000);
    let new_subscriber = new_subscriber();
    let client = Audience::client(None, new_subscriber.id.clone());
    let (opened, opening) = oneshot::channel();
    let opening = async { opening.await.ok() };
    let arrival = server.engine.subscribe_connection("/", new_subscriber, opening).await.unwrap();
    server.command(Command::Admit { client, arrival, since: Some(position(0)), hello: None }).await;
    server.publish(Audience::everyone(None), "2000").await;
    opened.send(Connection::portable(socket)).unwrap();
    let mut peer = Peer(peer);
    for number in 0..=2_000 {
        assert_eq!(peer.hear_text().await, number.to_string());
    }
    drop(peer);
    server.stop().await;
}

/// What it missed isn't limited by its queue, but by the history, and in time.
#[tokio::test(start_paused = true)]
async fn who_comes_back_and_takes_nothing_is_dropped() {
    let heartbeat = Duration::from_secs(25);
    let server = Server::keep(BOUNDS, policy(QueueLimits::default(), heartbeat));
    for number in 0..2_000 {
        server.publish(Audience::everyone(None), &number.to_string()).await;
    }
    let (_peer, socket) = duplex(1000);
    let new_subscriber = new_subscriber();
    let client = Audience::client(None, new_subscriber.id.clone());
    let opening = ready(Some(Connection::portable(socket)));
    let arrival = server.engine.subscribe_connection("/", new_subscriber, opening).await.unwrap();
    server.command(Command::Admit { client, arrival, since: Some(position(0)), hello: None }).await;
    let began = Instant::now();
    server.engine.drained(began + heartbeat * 4).await;
    assert_eq!(server.engine.clients(), 0);
    assert!(began.elapsed() >= heartbeat);
    server.stop().await;
}

#[tokio::test]
async fn who_comes_back_too_late_is_told() {
    let server = Server::keep(BOUNDS, policy(QueueLimits::default(), Duration::ZERO));
    let mut peer = server.resume(new_subscriber(), Position { epoch: 8, number: 0 }).await;
    assert_eq!(peer.receive().await, Some((CLOSE, Close::FORGOTTEN.frame()[2..].to_vec())));
    drop(peer);
    server.stop().await;
}

/// The same number in each part of the time, and all of them in the end.
#[tokio::test]
async fn a_share_of_the_clients_is_sent_away_at_a_time() {
    let server = Server::start(16, QueueLimits::default());
    let mut here = Vec::new();
    for _ in 0..200 {
        here.push(server.join_open(1000).await);
    }
    for (share, left) in [(0, 200..=200), (1, 140..=160), (2, 90..=110), (4, 0..=0)] {
        let (code, reason) = (1012, "restarting");
        server.command(Command::Drain { share: EVERYBODY / 4 * share, code, reason }).await;
        server.send("still here").await;
        let mut still = Vec::new();
        for mut peer in here {
            match peer.receive().await.unwrap() {
                (TEXT, payload) => {
                    assert_eq!(payload, b"still here");
                    still.push(peer);
                }
                (CLOSE, payload) => assert_eq!(payload, b"\x03\xf4restarting"),
                other => panic!("{other:?}"),
            }
        }
        here = still;
        assert!(left.contains(&here.len()), "{} are left of {share} quarters", here.len());
    }
    server.stop().await;
}

#[tokio::test]
async fn who_isnt_let_in_yet_isnt_sent_away() {
    let server = Server::start(16, QueueLimits::default());
    let (peer, socket) = duplex(1000);
    let new_subscriber = new_subscriber();
    let client = Audience::client(None, new_subscriber.id.clone());
    let opening = ready(Some(Connection::portable(socket)));
    let arrival = server.engine.subscribe_connection("/", new_subscriber, opening).await.unwrap();
    let drain = || Command::Drain { share: EVERYBODY, code: 1012, reason: "restarting" };
    server.command(drain()).await;
    server.command(Command::Admit { client, arrival, since: None, hello: None }).await;
    server.send("come in").await;
    server.command(drain()).await;
    let mut peer = Peer(peer);
    assert_eq!(peer.hear_text().await, "come in");
    assert_eq!(peer.receive().await, Some((CLOSE, b"\x03\xf4restarting".to_vec())));
    assert_eq!(server.engine.clients(), 1, "it has yet to answer");
    drop(peer);
    server.engine.drained(Instant::now() + Duration::from_secs(3600)).await;
    assert_eq!(server.engine.clients(), 0);
    server.stop().await;
}
