//! `pode.v1`: clients that know their position.

use pode::prelude::*;
use pode::{Protocol, RawMessage, RunningServer};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Client, handshake, start, within};

pode_server! {
    server told;
    endpoint ws "127.0.0.1:0";
    signal CHAT: Line -> Line = "/chat" { history_messages: 10, messages_per_second: 10 } => answer;
    signal CLUB: u32 = "/club" { max_clients: 1 };
    signal ROOM: u32 = "/rooms/:room" (room: u32);
    signal RAW: RawMessage -> RawMessage = "/raw" => echo;
    on connect CHAT => greet;
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Deserialize, Serialize)]
struct Line {
    text: String,
}

async fn greet(event: ConnectEvent<Line>) -> Result<(), EventError> {
    if event.query() == "stranger" {
        return Err(EventError::new(401, "who are you?"));
    }
    if let Some(status) = event.query().strip_prefix("status=") {
        return Err(EventError::new(status.parse().unwrap(), "not now"));
    }
    // What is the server's own isn't the program's.
    let offered: Vec<_> = event.protocols().collect();
    event.greet(&Line { text: offered.join(" ") })
}

async fn answer(event: SignalEvent<Line>, line: Line) -> Result<(), BoxError> {
    if line.text.is_empty() {
        return Err(EventError::new(400, "say something").into());
    }
    Ok(event.reply(&line).await?)
}

async fn echo(event: SignalEvent<RawMessage>, message: RawMessage) -> Result<(), SendError> {
    event.reply(&message).await
}

/// Connects a client that offers these subprotocols; returns which was chosen, too.
async fn connect(server: &RunningServer, path: &str, offered: &str) -> (Client, Option<String>) {
    let address = server.address(Protocol::Ws).unwrap();
    let headers = [("sec-websocket-protocol", offered)];
    let (client, mut told) = Client::handshake(address, path, &headers).await.unwrap();
    (client, told.remove("sec-websocket-protocol"))
}

async fn hear(client: &mut Client) -> Value {
    serde_json::from_str(&client.text().await).unwrap()
}

#[tokio::test]
async fn who_offers_it_knows_its_position() {
    let server = start(told()).await;
    let (mut client, chosen) = connect(&server, "/chat", "pode.v1, pode.ticket.x, chat.v2").await;
    assert_eq!(chosen.as_deref(), Some("pode.v1"));
    let hello = hear(&mut client).await;
    let epoch = hello["epoch"].as_str().unwrap().to_owned();
    assert_eq!(hello["hello"], 1);
    assert_eq!(
        (&hello["at"], &hello["beat"], &hello["max"]),
        (&json!(0), &json!(25), &json!(65536))
    );
    assert!(hello["id"].is_string() && hello.get("resumed").is_none());
    assert_eq!(hear(&mut client).await, json!({ "data": { "text": "chat.v2" } }));
    assert_eq!(hear(&mut client).await, json!({ "live": 0 }));

    client.say(r#"{"data":{"text":"hi"}}"#).await;
    assert_eq!(hear(&mut client).await, json!({ "at": 1, "data": { "text": "hi" } }));
    client.say(r#"{"data":{"text":""}}"#).await;
    assert_eq!(
        hear(&mut client).await,
        json!({ "at": 2, "error": "say something", "status": 400 })
    );
    client.say(r#"{"text":"hi"}"#).await;
    assert_eq!(client.close_code().await, 1007);
    for wrong in [r#"[{"text":"hi"}]"#, r#"{"data":{"text":"hi"},"n":"x"}"#, "7", "{}", ""] {
        let (mut client, _) = connect(&server, "/chat", "pode.v1").await;
        client.say(wrong).await;
        for _ in 0..3 {
            hear(&mut client).await;
        }
        assert_eq!(client.close_code().await, 1007, "{wrong}");
    }

    server.signals().send(CHAT, &Line { text: "missed".to_owned() }).await.unwrap();
    let path = format!("/chat?resume={epoch}-2");
    let (mut client, _) = connect(&server, &path, "pode.v1").await;
    let hello = hear(&mut client).await;
    assert_eq!((&hello["at"], &hello["resumed"]), (&json!(2), &json!(true)));
    assert_eq!(hear(&mut client).await, json!({ "data": { "text": "" } }));
    assert_eq!(hear(&mut client).await, json!({ "at": 3, "data": { "text": "missed" } }));
    assert_eq!(hear(&mut client).await, json!({ "live": 3 }));

    let (mut client, _) = connect(&server, "/chat?resume=0000000000000000-9", "pode.v1").await;
    assert_eq!(hear(&mut client).await["resumed"], false);
    let gap = json!({ "gap": [9, 0], "why": "epoch", "epoch": epoch });
    assert_eq!(hear(&mut client).await, gap);
    server.stop().await;
}

#[tokio::test]
async fn a_client_without_it_hears_what_was_sent() {
    let server = start(told()).await;
    let mut plain = Client::connect(&server, "/rooms/1").await;
    let (mut client, _) = connect(&server, "/rooms/1", "pode.v1").await;
    let hello = hear(&mut client).await;
    assert!(hello.get("at").is_none() && hello.get("max").is_none(), "{hello}");
    server.signals().send(ROOM.at(&1), &7).await.unwrap();
    assert_eq!(plain.text().await, "7");
    assert_eq!(hear(&mut client).await, json!({ "data": 7 }));

    // Raw messages travel as they are.
    let address = server.address(Protocol::Ws).unwrap();
    let offer = "\r\nSec-WebSocket-Protocol: pode.v1\r\n\r\n";
    let request = handshake("/raw").replace("\r\n\r\n", offer);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(stream.read_u8(), "the reply").await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 ") && !head.contains("protocol: pode"), "{head}");
    server.stop().await;
}

#[tokio::test]
async fn who_sends_too_much_may_come_back() {
    let server = start(told()).await;
    let (mut client, _) = connect(&server, "/chat", "pode.v1").await;
    for _ in 0..3 {
        hear(&mut client).await;
    }
    for _ in 0..50 {
        client.say(r#"{"data":{"text":"hi"}}"#).await;
    }
    let error = loop {
        let frame = hear(&mut client).await;
        if let Some(error) = frame.get("error") {
            break error.clone();
        }
    };
    assert_eq!(error, "too many messages: at most 10 in a second are taken");
    assert_eq!(client.close_code().await, 4429);
    server.stop().await;
}

/// Browsers show no status of a failed handshake.
#[tokio::test]
async fn who_is_refused_is_told_why() {
    let server = start(told()).await;
    let (mut stranger, _) = connect(&server, "/chat?stranger", "pode.v1").await;
    assert_eq!(stranger.close_code().await, 4401);
    // Whatever the program answers, be it no error.
    for status in [204, 303, 400, 599, 600, 999] {
        let (mut refused, _) = connect(&server, &format!("/chat?status={status}"), "pode.v1").await;
        assert_eq!(refused.close_code().await, 4000 + status);
    }
    let (mut club, _) = connect(&server, "/club", "pode.v1").await;
    hear(&mut club).await;
    let (mut other, _) = connect(&server, "/club", "pode.v1").await;
    assert_eq!(other.close_code().await, 4503);
    let address = server.address(Protocol::Ws).unwrap();
    assert_eq!(Client::connect_at(address, "/club").await.map(drop), Err(503));
    assert_eq!(Client::connect_at(address, "/chat?stranger").await.map(drop), Err(401));
    server.signals().send(CLUB, &7).await.unwrap();
    assert_eq!(hear(&mut club).await, json!({ "data": 7 }));
    let ids = server.signals().clients(CLUB).list().await.unwrap();
    assert_eq!(ids.len(), 1, "who is refused is no client");
    server.stop().await;
}
