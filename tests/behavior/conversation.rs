//! Messages from clients: typed, in order, and never lost without notice.

use std::sync::Arc;
use std::time::Instant;

use pode::RawMessage;
use pode::prelude::*;
use tokio::sync::Semaphore;
use tokio_tungstenite::tungstenite::Message as Sent;

use crate::support::{Client, start};

#[derive(Deserialize)]
struct Post {
    text: String,
}

#[derive(Serialize)]
struct Message {
    from: String,
    text: String,
}

/// Lets one message of a slow signal through at a time.
struct Gate(Arc<Semaphore>);

pode_server! {
    server conversations(gate: Arc<Semaphore>);
    endpoint ws "127.0.0.1:0";
    state GATE: Gate = Gate(gate);
    signal CHAT: Post -> Message = "/chat" => chat;
    signal COUNT: u32 -> u32 = "/count" => count;
    signal SLOW: u32 -> u32 = "/slow" => slow;
    signal ECHO: RawMessage -> RawMessage = "/echo" { max_message_bytes: 100 } => echo;
    signal FEW: u32 -> u32 = "/few" { messages_per_second: 5 } => count;
    signal KNOWN: u32 -> u32 = "/known" { messages_per_second: 5 } => count;
    on connect KNOWN => async |event| event.set_client_id("ada".parse().unwrap());
    signal NEWS: String = "/news";
}

async fn chat(
    event: SignalEvent<Message>,
    post: Post,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    match post.text.as_str() {
        "refuse me" => return Err(EventError::new(403, "not you").into()),
        "fail" => return Err("a secret reason".into()),
        "panic" => panic!("as the test wants it"),
        _ => {}
    }
    let from = event.client().id().to_string();
    event.send(CHAT, &Message { from, text: post.text }).await?;
    Ok(())
}

async fn count(event: SignalEvent<u32>, number: u32) -> Result<(), SendError> {
    event.reply(&number).await
}

async fn slow(
    event: SignalEvent<u32>,
    number: u32,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    event.state(GATE).0.acquire().await?.forget();
    event.reply(&number).await?;
    Ok(())
}

async fn echo(event: SignalEvent<RawMessage>, message: RawMessage) -> Result<(), SendError> {
    event.reply(&message).await
}

async fn server() -> (pode::RunningServer, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    (start(conversations(Arc::clone(&gate))).await, gate)
}

#[tokio::test]
async fn what_one_says_all_hear_and_mistakes_are_told_to_whoever_made_them() {
    let (server, _) = server().await;
    let mut ada = Client::connect(&server, "/chat").await;
    let mut bob = Client::connect(&server, "/chat").await;
    for (said, error, status) in [
        (r#"{"txt":"hi"}"#, "message: missing field `text` at line 1 column 12", 400),
        ("hello", "message: expected value at line 1 column 1", 400),
        (r#"{"text":"refuse me"}"#, "not you", 403),
        (r#"{"text":"fail"}"#, "the server could not handle this message", 500),
        (r#"{"text":"panic"}"#, "the server could not handle this message", 500),
    ] {
        ada.say(said).await;
        let told: serde_json::Value = serde_json::from_str(&ada.text().await).unwrap();
        assert_eq!(told, serde_json::json!({ "error": error, "status": status }));
    }
    ada.say(r#"{"text":"hi"}"#).await;
    ada.send(Sent::binary(r#"{"text":"in bytes"}"#)).await;
    for text in ["hi", "in bytes"] {
        let heard = bob.text().await;
        assert!(heard.ends_with(&format!(r#"","text":"{text}"}}"#)), "{heard}");
        assert_eq!(ada.text().await, heard);
    }
}

#[tokio::test]
async fn many_messages_of_many_clients_are_answered_in_order() {
    let (server, _) = server().await;
    let clients = (0..20).map(async |_| {
        let mut client = Client::connect(&server, "/count").await;
        for round in 0..10 {
            for number in 0..100 {
                client.say(&(round * 100 + number).to_string()).await;
            }
            for number in 0..100 {
                assert_eq!(client.text().await, (round * 100 + number).to_string());
            }
        }
    });
    futures_util::future::join_all(clients).await;
}

#[tokio::test]
async fn a_slow_handler_holds_up_its_client_alone_and_loses_nothing() {
    let (server, gate) = server().await;
    let mut slow = Client::connect(&server, "/slow").await;
    let mut other = Client::connect(&server, "/slow").await;
    // More than may wait in the inbox.
    for number in 0..100 {
        slow.say(&number.to_string()).await;
    }
    // The other client doesn't wait for any of them.
    other.say("\"seven\"").await;
    assert!(other.text().await.starts_with(r#"{"error":"#));
    gate.add_permits(1_000);
    for number in 100..1_000 {
        slow.say(&number.to_string()).await;
    }
    for number in 0..1_000 {
        assert_eq!(slow.text().await, number.to_string());
    }
}

#[tokio::test]
async fn frames_pass_as_they_are_up_to_the_size_that_is_declared() {
    let (server, _) = server().await;
    let mut client = Client::connect(&server, "/echo").await;
    client.say("not \"JSON\"").await;
    assert_eq!(client.text().await, "not \"JSON\"");
    client.send(Sent::binary(&b"\xff\0"[..])).await;
    assert_eq!(client.message().await, Sent::binary(&b"\xff\0"[..]));
    client.say(&"x".repeat(100)).await;
    assert_eq!(client.text().await.len(), 100);
    client.say(&"x".repeat(101)).await;
    assert_eq!(client.close_code().await, 1009);
}

#[tokio::test]
async fn a_client_over_its_rate_is_told_and_closed() {
    let (server, _) = server().await;
    let mut client = Client::connect(&server, "/few").await;
    let mut other = Client::connect(&server, "/few").await;
    for number in 0..5 {
        client.say(&number.to_string()).await;
        assert_eq!(client.text().await, number.to_string());
    }
    // More than a second allows, however slow this machine is. Some may still
    // be answered.
    for _ in 0..100 {
        client.say("5").await;
    }
    let told = loop {
        match client.text().await {
            answer if answer == "5" => {}
            told => break told,
        }
    };
    assert_eq!(
        told,
        r#"{"error":"too many messages: at most 5 in a second are taken","status":429}"#
    );
    assert_eq!(client.close_code().await, 1008);
    other.say("1").await;
    assert_eq!(other.text().await, "1");
}

#[tokio::test]
async fn what_is_within_the_rate_is_answered_before_a_client_is_closed() {
    let (server, _) = server().await;
    let mut client = Client::connect(&server, "/few").await;
    client.say_all((0..30).map(|number| number.to_string())).await;
    for number in 0..5 {
        assert_eq!(client.text().await, number.to_string());
    }
    let told = r#"{"error":"too many messages: at most 5 in a second are taken","status":429}"#;
    assert_eq!(client.text().await, told);
    assert_eq!(client.close_code().await, 1008);
}

#[tokio::test]
async fn the_rate_of_a_known_client_goes_on_when_it_connects_again() {
    let (server, _) = server().await;
    let (started, mut answered) = (Instant::now(), 0);
    for _ in 0..20 {
        let mut client = Client::connect(&server, "/known").await;
        client.say_all(["7".to_owned(), "7".to_owned(), "7".to_owned()]).await;
        for _ in 0..3 {
            if client.text().await != "7" {
                break;
            }
            answered += 1;
        }
    }
    let allowed = 5.0 + 5.0 * started.elapsed().as_secs_f64();
    assert!(f64::from(answered) <= allowed, "{answered} of {allowed}");
}

#[tokio::test]
async fn what_is_said_where_nothing_is_taken_reaches_nobody() {
    let (server, _) = server().await;
    let mut listening = Client::connect(&server, "/news").await;
    for said in [Sent::text("hello"), Sent::binary("hello"), Sent::text(r#"{"message":"hello"}"#)] {
        let mut speaking = Client::connect(&server, "/news").await;
        speaking.send(said).await;
        assert_eq!(speaking.close_code().await, 1003);
    }
    server.signals().send(NEWS, &"news".to_owned()).await.unwrap();
    assert_eq!(listening.text().await, r#""news""#);
}

#[tokio::test]
async fn what_was_said_before_the_end_is_handled() {
    let (server, gate) = server().await;
    let mut client = Client::connect(&server, "/slow").await;
    for number in 0..10 {
        client.say(&number.to_string()).await;
    }
    client.leave(1000).await;
    assert_eq!(server.signals().clients(SLOW).list().await.unwrap(), []);
    gate.add_permits(10);
    // Stopping waits for the handlers, each of which takes a permit.
    server.stop().await;
    assert_eq!(gate.available_permits(), 0);
}
