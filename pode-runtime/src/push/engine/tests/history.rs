//! Clients that get messages from the log: who resumes, is new or is slow.

use pode_core::frame::Close;
use tokio::task::yield_now;

use super::*;
use crate::push::engine::policy::{OnLag, Replay};

const PLENTY: LogBounds = LogBounds { messages: 10_000, age: None, bytes: 64 << 20 };

pub(super) fn history(on_lag: OnLag, replay: Replay) -> SubscriberPolicy {
    let (zero, nothing) = (Duration::ZERO, AcceptPolicy::Nothing);
    SubscriberPolicy::new(on_lag, zero, zero, nothing, Some(replay))
}

pub(super) fn to_group(group: &str) -> Audience {
    Audience::of(None, Recipients::Group(group.into()))
}

impl Server {
    pub(super) async fn publish_to(&self, audience: Audience, payload: &str) {
        let permit = self.hub.channel("/").unwrap().reserve().await.unwrap();
        Envelope::new(audience, Message::text(payload)).publish(permit).unwrap();
    }

    pub(super) async fn publish_numbers(&self, numbers: std::ops::Range<usize>) {
        for number in numbers {
            self.publish_to(Audience::everyone(None), &number.to_string()).await;
        }
    }

    pub(super) async fn enter(
        &self,
        id: &str,
        groups: Groups,
        since: Option<Position>,
        buffer_bytes: usize,
    ) -> Peer<DuplexStream> {
        let id = id.parse().unwrap();
        let new_subscriber = NewSubscriber { id, groups, ..new_subscriber() };
        self.enter_as(new_subscriber, since, None, buffer_bytes).await
    }

    /// With a hello, it speaks `pode.v1`.
    pub(super) async fn enter_as(
        &self,
        new_subscriber: NewSubscriber,
        since: Option<Position>,
        hello: Option<String>,
        buffer_bytes: usize,
    ) -> Peer<DuplexStream> {
        let (peer, socket) = duplex(buffer_bytes);
        let client = Audience::client(None, new_subscriber.id.clone());
        let opening = ready(Some(Connection::portable(socket)));
        let arrival = self.engine.subscribe_connection("/", new_subscriber, opening).await.unwrap();
        let hello = hello.map(|members| Hello { members, sequence: None });
        self.command(Command::Admit { client, arrival, since, hello }).await;
        Peer(peer)
    }
}

/// At a signal without history it would be cut off at 1,024.
#[tokio::test]
async fn a_slow_client_gets_everything_that_is_kept() {
    let server = Server::keep(PLENTY, history(OnLag::Disconnect, Replay::OnlyNew));
    let mut slow = server.enter("slow", Groups::default(), None, 100).await;
    server.publish_numbers(0..5_000).await;
    for number in 0..5_000 {
        assert_eq!(slow.hear_text().await, number.to_string());
    }
    // And is live again.
    server.publish_numbers(5_000..5_001).await;
    assert_eq!(slow.hear_text().await, "5000");
    drop(slow);
    server.stop().await;
}

#[tokio::test]
async fn who_is_overtaken_has_what_its_signal_declares() {
    let bounds = LogBounds { messages: 1, age: None, bytes: 40_000 };
    for on_lag in [OnLag::Disconnect, OnLag::Skip, OnLag::Latest] {
        let server = Server::keep(bounds, history(on_lag, Replay::OnlyNew));
        let mut slow = server.enter("slow", Groups::default(), None, 100).await;
        server.publish_numbers(0..5_000).await;
        let mut heard = Vec::new();
        let end = loop {
            match slow.receive().await.unwrap() {
                (TEXT, payload) => {
                    let number: usize = String::from_utf8(payload).unwrap().parse().unwrap();
                    heard.push(number);
                    if number == 4_999 {
                        break None;
                    }
                }
                (CLOSE, payload) => break Some(payload),
                other => panic!("{other:?}"),
            }
        };
        let gap = heard.windows(2).position(|pair| pair[1] != pair[0] + 1);
        match (on_lag, gap, end) {
            (OnLag::Disconnect, None, Some(close)) => {
                assert_eq!(close, Close::TOO_SLOW.frame()[2..]);
            }
            (OnLag::Skip, Some(gap), None) => {
                let after: Vec<usize> = (heard[gap + 1]..5_000).collect();
                assert_eq!(heard[gap + 1..], after, "one gap, and then all that is kept");
                assert!(after.len() > 1_000);
            }
            (OnLag::Latest, Some(gap), None) => assert_eq!(heard[gap + 1..], [4_999]),
            other => panic!("{other:?}"),
        }
        drop(slow);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_new_client_gets_as_many_as_are_replayed() {
    let bounds = LogBounds { messages: 3, ..PLENTY };
    for (replay, expected) in [
        (Replay::OnlyNew, &[][..]),
        (Replay::Last, &["4"]),
        (Replay::Messages(2), &["3", "4"]),
        (Replay::Messages(9), &["3", "4"]),
        (Replay::All, &["3", "4"]),
    ] {
        let server = Server::keep(bounds, history(OnLag::Disconnect, replay));
        server.publish_numbers(0..5).await;
        server.publish_to(to_group("others"), "not for all").await;
        let mut client = server.enter("new", Groups::default(), None, 1000).await;
        server.publish_numbers(5..6).await;
        for text in expected.iter().chain(&["5"]) {
            assert_eq!(client.hear_text().await, *text, "{replay:?}");
        }
        drop(client);
        server.stop().await;
    }
}

#[cfg(feature = "test")]
#[tokio::test]
async fn a_marker_comes_behind_all_messages_and_is_none() {
    let kept = Server::keep(PLENTY, history(OnLag::Disconnect, Replay::OnlyNew));
    let position = |server: &Server| server.hub.channel("/").unwrap().position();
    for server in [kept, Server::start(200, limits(200, 10_000))] {
        let mut slow = server.enter("slow", Groups::default(), None, 10).await;
        for numbers in [0..100, 100..101, 101..101] {
            server.publish_numbers(numbers.clone()).await;
            let before = position(&server);
            let client = Audience::client(None, "slow".parse().unwrap());
            server.command(Command::Mark(client, Message::text("marker"))).await;
            for number in numbers {
                assert_eq!(slow.hear_text().await, number.to_string());
            }
            assert_eq!(slow.hear_text().await, "marker");
            assert_eq!(position(&server), before);
        }
        drop(slow);
        server.stop().await;
    }
}

/// Whether a message was for it is decided when it is sent, not when it is read.
#[tokio::test]
async fn groups_are_those_of_the_moment_of_sending() {
    let server = Server::keep(PLENTY, history(OnLag::Disconnect, Replay::OnlyNew));
    let slow = || Audience::client(None, "slow".parse().unwrap());
    let mut client = server.enter("slow", Groups::One("crew".into()), None, 10).await;
    server.publish_to(Audience::everyone(None), "what fills the socket").await;
    server.publish_to(to_group("crew"), "in crew").await;
    server.publish_to(to_group("pit"), "not in pit").await;
    server.command(Command::Leave(slow(), "crew".into())).await;
    server.command(Command::Join(slow(), "pit".into())).await;
    server.publish_to(to_group("crew"), "not in crew").await;
    server.publish_to(to_group("pit"), "in pit").await;
    server.command(Command::Leave(slow(), "pit".into())).await;
    server.command(Command::Join(slow(), "crew".into())).await;
    server.publish_to(to_group("crew"), "in crew again").await;
    server.publish_to(to_group("pit"), "not in pit again").await;
    server.publish_to(Audience::everyone(None), "end").await;
    for text in ["what fills the socket", "in crew", "in pit", "in crew again", "end"] {
        assert_eq!(client.hear_text().await, text);
    }
    drop(client);
    server.stop().await;
}

/// Also after it was overtaken.
#[tokio::test]
async fn who_goes_on_behind_a_gap_keeps_its_groups() {
    let bounds = LogBounds { messages: 1, age: None, bytes: 60_000 };
    let server = Server::keep(bounds, history(OnLag::Skip, Replay::OnlyNew));
    let slow = || Audience::client(None, "slow".parse().unwrap());
    let mut client = server.enter("slow", Groups::One("crew".into()), None, 10).await;
    server.publish_numbers(0..3_000).await;
    server.publish_to(to_group("crew"), "in crew").await;
    server.command(Command::Leave(slow(), "crew".into())).await;
    server.publish_to(to_group("crew"), "not in crew").await;
    server.publish_to(Audience::everyone(None), "end").await;
    let mut heard = Vec::new();
    while heard.last().is_none_or(|last| last != "end") {
        heard.push(client.hear_text().await);
    }
    assert!(heard.len() < 2_900, "it was overtaken");
    assert_eq!(heard[heard.len() - 3..], ["2999", "in crew", "end"]);
    drop(client);
    server.stop().await;
}

/// What it gets first is what was sent first, up to the close.
#[tokio::test]
async fn who_is_closed_while_it_is_behind_gets_the_rest_first() {
    let server = Server::keep(PLENTY, history(OnLag::Disconnect, Replay::OnlyNew));
    let mut slow = server.enter("slow", Groups::default(), None, 100).await;
    server.publish_numbers(0..3_000).await;
    let close = Close::own(4000, "enough").unwrap();
    server.command(Command::Close(Audience::everyone(None), close)).await;
    server.publish_numbers(3_000..4_000).await;
    assert_eq!(slow.hear_numbers_until_close().await, (3_000, 4000));
    drop(slow);
    server.stop().await;
}

/// It comes back for the rest to the other process.
#[tokio::test]
async fn who_is_sent_away_while_it_is_behind_is_told_where_it_is() {
    let server = Server::keep(PLENTY, history(OnLag::Disconnect, Replay::OnlyNew));
    let mut slow = server.enter("slow", Groups::default(), None, 100).await;
    let mut live = server.enter("live", Groups::default(), None, 100_000).await;
    server.publish_numbers(0..3_000).await;
    server.command(Command::Drain { share: EVERYBODY, code: 1012, reason: "bye" }).await;
    for (peer, is_live) in [(&mut slow, false), (&mut live, true)] {
        let mut heard = 0;
        let reason = loop {
            match peer.receive().await.unwrap() {
                (TEXT, payload) => assert_eq!(payload, heard.to_string().as_bytes()),
                (_, payload) => break String::from_utf8(payload[2..].to_vec()).unwrap(),
            }
            heard += 1;
        };
        assert_eq!(reason, format!("bye; resume=0000000000000007-{heard}"));
        assert_eq!(heard == 3_000, is_live);
    }
    drop((slow, live));
    server.stop().await;
}

/// So a room of slow clients costs as much as one of idle ones.
#[tokio::test]
async fn who_is_behind_keeps_no_messages() {
    let server = Server::keep(PLENTY, history(OnLag::Disconnect, Replay::OnlyNew));
    let mut slow = server.enter("slow", Groups::default(), None, 10).await;
    let message = Message::text(&"x".repeat(1_000));
    for _ in 0..100 {
        let permit = server.hub.channel("/").unwrap().reserve().await.unwrap();
        Envelope::Broadcast(message.clone()).publish(permit).unwrap();
    }
    // Until all was delivered; the capacity returns with the next message.
    server.publish_numbers(0..17).await;
    let frame = message.frame().clone();
    drop(message);
    while !frame.is_unique() {
        yield_now().await;
    }
    for _ in 0..100 {
        assert_eq!(slow.hear_text().await.len(), 1_000);
    }
    drop(slow);
    server.stop().await;
}
