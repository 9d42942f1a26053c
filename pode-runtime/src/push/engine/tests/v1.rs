//! Clients that speak `pode.v1`.

use serde_json::{Value, json};

use super::super::form::Form;
use super::history::{history, to_group};
use super::*;
use crate::push::engine::policy::{OnLag, Replay};

const PLENTY: LogBounds = LogBounds { messages: 10_000, age: None, bytes: 64 << 20 };

impl Server {
    async fn enter_v1(
        &self,
        id: &str,
        since: Option<Position>,
        bytes: usize,
    ) -> Peer<DuplexStream> {
        self.enter_by(id, false, since, bytes).await
    }

    async fn enter_by(
        &self,
        id: &str,
        is_set: bool,
        since: Option<Position>,
        bytes: usize,
    ) -> Peer<DuplexStream> {
        let new_subscriber = NewSubscriber {
            id: id.parse().unwrap(),
            speaks: Speaks::new(Form::V1, is_set),
            greeting: vec![Message::text("\"hi\"")],
            ..new_subscriber()
        };
        self.enter_as(new_subscriber, since, Some(format!(r#""id":"{id}""#)), bytes).await
    }
}

impl Peer<DuplexStream> {
    async fn hear_json(&mut self) -> Value {
        serde_json::from_str(&self.hear_text().await).unwrap()
    }

    async fn hears(&mut self, expected: &[Value]) {
        for value in expected {
            assert_eq!(self.hear_json().await, *value);
        }
    }
}

fn at(number: u64) -> Option<Position> {
    Some(Position { epoch: 7, number })
}

fn hello(number: u64, resumed: Option<bool>) -> Value {
    let mut hello = json!({ "hello": 1, "epoch": "0000000000000007", "at": number, "id": "ada" });
    if let Some(resumed) = resumed {
        hello["resumed"] = resumed.into();
    }
    hello
}

#[tokio::test]
async fn a_client_knows_its_position() {
    let server = Server::keep(PLENTY, history(OnLag::Disconnect, Replay::Messages(2)));
    server.publish_numbers(0..3).await;
    let mut ada = server.enter_v1("ada", None, 1000).await;
    let greeting = json!({ "data": "hi" });
    ada.hears(&[
        hello(1, None),
        greeting.clone(),
        json!({ "at": 2, "data": 1 }),
        json!({ "at": 3, "data": 2 }),
        json!({ "live": 3 }),
    ])
    .await;
    server.publish_to(to_group("crew"), "\"not for her\"").await;
    let error = Audience {
        answer: Some(Answer::Error(None)),
        ..Audience::client(None, "ada".parse().unwrap())
    };
    server.publish_to(error, r#"{"error":"no"}"#).await;
    server.publish_numbers(5..6).await;
    ada.hears(&[json!({ "at": 5, "error": "no" }), json!({ "at": 6, "data": 5 })]).await;
    drop(ada);

    server.publish_numbers(6..7).await;
    let mut ada = server.enter_v1("ada", at(5), 1000).await;
    ada.hears(&[
        hello(5, Some(true)),
        greeting.clone(),
        json!({ "at": 6, "data": 5 }),
        json!({ "at": 7, "data": 6 }),
        json!({ "live": 7 }),
    ])
    .await;
    drop(ada);
    let mut ada = server.enter_v1("ada", at(7), 1000).await;
    ada.hears(&[hello(7, Some(true)), greeting, json!({ "live": 7 })]).await;
    drop(ada);
    server.stop().await;
}

#[tokio::test]
async fn what_is_missing_is_told_and_the_rest_comes() {
    let bounds = LogBounds { messages: 2, age: None, bytes: 60 };
    let server = Server::keep(bounds, history(OnLag::Disconnect, Replay::OnlyNew));
    server.publish_numbers(0..9).await;
    let kept = server.hub.channel("/").unwrap().log().unwrap().with(|log| log.dropped_to(&None));
    assert!((2..9).contains(&kept));
    let epoch = "0000000000000007";
    for (since, gap) in [
        (at(1), json!({ "gap": [1, kept], "why": "age" })),
        (at(10), json!({ "gap": [10, kept], "why": "epoch", "epoch": epoch })),
        (
            Some(Position { epoch: 6, number: 3 }),
            json!({ "gap": [3, kept], "why": "epoch", "epoch": epoch }),
        ),
    ] {
        let mut ada = server.enter_v1("ada", since, 1000).await;
        ada.hears(&[hello(kept, Some(false)), gap, json!({ "data": "hi" })]).await;
        for number in kept..9 {
            ada.hears(&[json!({ "at": number + 1, "data": number })]).await;
        }
        ada.hears(&[json!({ "live": 9 })]).await;
        drop(ada);
    }
    server.stop().await;
}

/// It would miss the rest, if it came back from further on.
#[cfg(feature = "redis")]
#[tokio::test]
async fn who_is_behind_is_told_of_an_epoch_where_it_is() {
    let server = Server::keep(PLENTY, history(OnLag::Disconnect, Replay::OnlyNew));
    let mut slow = server.enter_v1("ada", None, 100).await;
    server.publish_numbers(0..100).await;
    server.command(Command::Epoch(8)).await;
    slow.hears(&[hello(0, None), json!({ "data": "hi" }), json!({ "live": 0 })]).await;
    let (mut next, mut told) = (0, 0);
    while next < 100 {
        let frame = slow.hear_json().await;
        if frame.get("epoch").is_some() {
            assert_eq!(frame, json!({ "at": next, "epoch": "0000000000000008" }));
            told += 1;
        } else {
            assert_eq!(frame, json!({ "at": next + 1, "data": next }));
            next += 1;
        }
    }
    assert_eq!(told, 1);
    drop(slow);
    server.stop().await;
}

/// Whether it is kept or queued, what a slow client doesn't get is a gap.
#[tokio::test]
async fn who_reads_slowly_is_told_of_the_gap() {
    let bounds = LogBounds { messages: 1, age: None, bytes: 40_000 };
    for on_lag in [OnLag::Skip, OnLag::Latest] {
        let server = Server::keep(bounds, history(on_lag, Replay::OnlyNew));
        let mut slow = server.enter_v1("ada", None, 100).await;
        server.publish_numbers(0..5_000).await;
        slow.hears(&[hello(0, None), json!({ "data": "hi" }), json!({ "live": 0 })]).await;
        let (mut next, mut gaps) = (0, 0);
        while next < 5_000 {
            let frame = slow.hear_json().await;
            if let Some(gap) = frame.get("gap") {
                assert_eq!((&gap[0], &frame["why"]), (&json!(next), &json!("lag")));
                next = gap[1].as_u64().unwrap();
                gaps += 1;
            } else {
                assert_eq!(frame, json!({ "at": next + 1, "data": next }));
                next += 1;
            }
        }
        assert!(gaps > 0);
        drop(slow);
        server.stop().await;
    }

    for on_lag in [OnLag::Skip, OnLag::Latest] {
        let limits = QueueLimits { on_lag, ..limits(10, 1 << 20) };
        let server = Server::start(16, limits);
        let mut slow = server.enter_v1("ada", None, 100).await;
        server.publish_numbers(0..100).await;
        slow.hears(&[json!({ "hello": 1, "id": "ada" }), json!({ "data": "hi" })]).await;
        let (mut next, mut sent, mut is_gap) = (0, 100, false);
        while next < 100 {
            let frame = slow.hear_json().await;
            if frame == json!({ "gap": null, "why": "lag" }) {
                assert!(!is_gap, "a gap is told once");
                is_gap = true;
                if on_lag == OnLag::Skip {
                    // There is capacity again.
                    server.publish_numbers(sent..sent + 1).await;
                    sent += 1;
                }
            } else {
                let number = frame["data"].as_u64().unwrap();
                assert_eq!(number == next, !is_gap, "{number} for {next}");
                (next, is_gap) = (number + 1, false);
            }
        }
        drop(slow);
        server.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_server_shows_signs_of_life_with_the_position() {
    let policy = SubscriberPolicy {
        heartbeat: std::num::NonZero::new(5),
        ..history(OnLag::Disconnect, Replay::OnlyNew)
    };
    let server = Server::keep(PLENTY, policy);
    let mut ada = server.enter_v1("ada", None, 1000).await;
    ada.hears(&[hello(0, None), json!({ "data": "hi" }), json!({ "live": 0 })]).await;
    server.publish_to(to_group("crew"), "\"not for her\"").await;
    assert_eq!(ada.receive().await, Some((PING, Vec::new())));
    ada.hears(&[json!({ "at": 1 })]).await;
    drop(ada);
    server.stop().await;
}

#[tokio::test]
async fn who_is_replaced_by_another_is_told_not_to_come_back() {
    let server = Server::keep(PLENTY, history(OnLag::Disconnect, Replay::OnlyNew));
    // Under its own id nobody comes but itself, and maybe by a connection that it gave up.
    for (is_set, code) in [(true, 4001_u16), (false, 4409)] {
        let mut ada = server.enter_by("ada", is_set, None, 1000).await;
        ada.hears(&[hello(0, None), json!({ "data": "hi" }), json!({ "live": 0 })]).await;
        let other = server.enter_by("ada", is_set, None, 1000).await;
        let (opcode, payload) = ada.receive().await.unwrap();
        assert_eq!((opcode, &payload[..2]), (CLOSE, &code.to_be_bytes()[..]));
        drop((ada, other));
    }
    server.stop().await;
}
