//! `pode.v1`: clients that come back as the same, and messages that are handled once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pode::prelude::*;
use pode::{ClientIdError, Protocol, RunningServer};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::interval;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Client, V1Client, start, within};

/// What the handlers of a server saw, and what they wait for.
#[derive(Debug, Default)]
struct Desk {
    /// The number of each message, and what it says.
    seen: Mutex<Vec<(Option<u64>, u64)>>,
    begun: Notify,
    go: Notify,
}

pode_server! {
    server counter(desk: Arc<Desk>) { client_id_lifetime: 4s };
    endpoint ws "127.0.0.1:0";
    state DESK: Arc<Desk> = desk;
    signal COUNT: u64 -> u64 = "/count" { history_messages: 100_000 } => count;
    signal LATE:  u64 -> u64 = "/late" => late;
    signal KEPT:  u64 -> u64 = "/kept" => keep;
    signal JUDGED: String -> String = "/judged" => judge;
    signal ROOM:  u64 -> u64 = "/rooms/:room" (room: u32) { history_messages: 10 } => async |event: SignalEvent<u64>, _: u32, number: u64| {
        event.reply(&number).await
    };
    signal NEWS:  u64 = "/news" { history_messages: 10, heartbeat: 1s };
    signal NAMED: u64 -> u64 = "/named" { history_messages: 10 } => count;
    on connect NAMED => async |event: ConnectEvent<u64>| -> Result<(), ClientIdError> {
        let mut fields = event.query().split('&').filter_map(|field| field.strip_prefix("name="));
        if let Some(name) = fields.next() {
            event.set_client_id(name.parse()?);
        }
        Ok(())
    };
}

/// Notes what it sees, and replies.
async fn count(event: SignalEvent<u64>, number: u64) -> Result<(), SendError> {
    event.state(DESK).seen.lock().unwrap().push((event.message_number(), number));
    // So that a cut may come between.
    for _ in 0..number % 3 {
        tokio::task::yield_now().await;
    }
    event.reply(&number).await
}

/// Notes what it sees, and replies when the test says so; to 0, fails.
async fn late(
    event: SignalEvent<u64>,
    number: u64,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let desk = event.state(DESK);
    desk.seen.lock().unwrap().push((event.message_number(), number));
    desk.begun.notify_one();
    desk.go.notified().await;
    if number == 0 {
        return Err(EventError::new(400, "nothing").into());
    }
    Ok(event.reply(&number).await?)
}

pode_server! {
    server stuck(desk: Arc<Desk>) { stop_timeout: 1s };
    endpoint ws "127.0.0.1:0";
    state STUCK_DESK: Arc<Desk> = desk;
    signal STUCK: u64 -> u64 = "/stuck" => async |event, number: u64| {
        let desk = event.state(STUCK_DESK);
        desk.seen.lock().unwrap().push((event.message_number(), number));
        desk.begun.notify_one();
        if number > 0 {
            std::future::pending::<()>().await;
        }
    };
}

/// Notes what it sees, and returns when the test says so; replies to 9.
async fn keep(event: SignalEvent<u64>, number: u64) -> Result<(), SendError> {
    let desk = event.state(DESK);
    desk.seen.lock().unwrap().push((event.message_number(), number));
    desk.begun.notify_one();
    desk.go.notified().await;
    if number == 9 {
        event.reply(&number).await?;
    }
    Ok(())
}

/// Closes its client or has it join a group, when the test says so.
async fn judge(event: SignalEvent<String>, verdict: String) -> Result<(), SendError> {
    let desk = event.state(DESK);
    desk.begun.notify_one();
    desk.go.notified().await;
    match &*verdict {
        "close" => event.client().close(4403, "go away").await,
        _ => event.client().join_group("judged").await,
    }
}

/// Somewhere between 0 and `below`, in an order of its own.
fn somewhere(seed: &mut u32, below: u32) -> u32 {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*seed >> 8) % below
}

/// A client says a thousand numbers and is cut two hundred times, wherever that is,
/// amid five hundred messages in a second. What it says is handled once and in order, and
/// it hears each message and each reply once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_cut_off_again_and_again_is_heard_once() {
    let desk = Arc::<Desk>::default();
    let server = start(counter(Arc::clone(&desk))).await;
    let address = server.address(Protocol::Ws).unwrap();
    let signals = server.signals().clone();
    let sending = tokio::spawn(async move {
        let mut beats = interval(Duration::from_millis(2));
        for number in 1_000_000_u64.. {
            beats.tick().await;
            if signals.send(COUNT, &number).await.is_err() {
                return;
            }
        }
    });
    let mut seed = 7;
    let mut client = V1Client::connect(address, "/count").await;
    let id = client.hello["id"].clone();
    let (mut said, mut cuts) = (0, 0);
    let (mut heard, mut replies) = (Vec::new(), Vec::new());
    while cuts < 200 || said < 1_000 || replies.len() < 1_000 {
        for _ in 0..somewhere(&mut seed, 11).min(1_000 - said) {
            client.say(said.into()).await;
            said += 1;
        }
        for _ in 0..somewhere(&mut seed, 30) {
            let object = client.hear().await;
            assert!(object.get("gap").is_none() && object.get("error").is_none(), "{object}");
            let Some(data) = object["data"].as_u64() else { continue };
            match object["re"].as_u64() {
                None => heard.push(data),
                Some(number) => {
                    assert_eq!(number, data + 1, "the reply to it");
                    replies.push(data);
                }
            }
        }
        if cuts < 200 {
            cuts += 1;
            client.cut(somewhere(&mut seed, 2) == 0);
            client.come_back().await;
            let told = ["id", "known", "resumed"].map(|name| client.hello[name].clone());
            assert_eq!(told, [id.clone(), true.into(), true.into()], "by its ticket");
        }
    }
    sending.abort();
    client.hear_all().await;
    let seen = desk.seen.lock().unwrap().clone();
    let expected: Vec<_> = (0..1_000).map(|number| (Some(number + 1), number)).collect();
    assert_eq!(seen, expected);
    assert_eq!(replies, (0..1_000).collect::<Vec<_>>());
    assert!(heard.is_sorted_by(|one, next| one + 1 == *next), "{heard:?}");
    server.stop().await;
}

/// Connects a client that offers this; returns its hello, too.
async fn connect(server: &RunningServer, path: &str, offered: &str) -> (Client, Value) {
    let address = server.address(Protocol::Ws).unwrap();
    let headers = [("sec-websocket-protocol", offered)];
    let (mut client, _) = Client::handshake(address, path, &headers).await.unwrap();
    let hello = hear(&mut client).await;
    (client, hello)
}

async fn hear(client: &mut Client) -> Value {
    serde_json::from_str(&client.text().await).unwrap()
}

fn ticket(hello: &Value) -> String {
    format!("pode.v1, pode.ticket.{}", hello["ticket"].as_str().unwrap())
}

#[tokio::test]
async fn a_message_is_acknowledged_when_its_handler_has_returned() {
    let desk = Arc::<Desk>::default();
    let server = start(counter(Arc::clone(&desk))).await;
    let (mut client, hello) = connect(&server, "/late", "pode.v1").await;
    assert_eq!((&hello["heard"], hello.get("known")), (&json!(0), None));
    for text in [r#"{"n":1,"data":7}"#, r#"{"n":2,"data":0}"#, r#"{"data":8}"#] {
        client.say(text).await;
    }
    // What comes again is handled once, and not told before it is handled.
    client.say(r#"{"n":1,"data":9}"#).await;
    for _ in 0..3 {
        within(desk.begun.notified(), "a message").await;
        desk.go.notify_one();
    }
    let (mut told, mut acks) = (Vec::new(), Vec::new());
    while told.last() != Some(&json!({ "data": 8 })) {
        let mut object = hear(&mut client).await;
        // It may stand in a reply; that depends on how fast the handler returns.
        acks.extend(object.as_object_mut().unwrap().remove("ack"));
        if object != json!({}) {
            told.push(object);
        }
    }
    // What came again may be acknowledged again.
    acks.dedup();
    assert!([json!([1, 2]), json!([2])].contains(&json!(acks)), "{acks:?}");
    let expected = [
        json!({ "re": 1, "data": 7 }),
        json!({ "re": 2, "error": "nothing", "status": 400 }),
        json!({ "data": 8 }),
    ];
    assert_eq!(told, expected);
    client.say(r#"{"n":1,"data":9}"#).await;
    assert_eq!(hear(&mut client).await, json!({ "ack": 2 }));
    assert_eq!(*desk.seen.lock().unwrap(), [(Some(1), 7), (Some(2), 0), (None, 8)]);

    // One of them is missing.
    client.say(r#"{"n":4,"data":9}"#).await;
    assert_eq!(client.close_code().await, 1007);
    for wrong in [
        r#"{"n":0,"data":1}"#,
        r#"{"n":-1,"data":1}"#,
        r#"{"n":1.0,"data":1}"#,
        r#"{"n":"1","data":1}"#,
        r#"{"n":null,"data":1}"#,
        r#"{"n":1,"n":1,"data":1}"#,
        r#"{"n":9007199254740992,"data":1}"#,
        r#"{"n":18446744073709551616,"data":1}"#,
        "{}",
        r#"{"again":true}"#,
        r#"{"again":true,"data":1}"#,
        r#"{"n":1,"again":1,"data":1}"#,
        r#"{"n":1,"data":1,"more":1}"#,
    ] {
        let (mut client, _) = connect(&server, "/late", "pode.v1").await;
        client.say(wrong).await;
        assert_eq!(client.close_code().await, 1007, "{wrong}");
    }
    assert_eq!(desk.seen.lock().unwrap().len(), 3);
    server.stop().await;
}

/// The network has lost a connection, and the server doesn't know.
#[tokio::test]
async fn who_comes_back_is_let_in_while_its_message_is_being_handled() {
    let desk = Arc::<Desk>::default();
    let server = start(counter(Arc::clone(&desk))).await;
    let (mut lost, hello) = connect(&server, "/late", "pode.v1").await;
    lost.say_all([r#"{"n":1,"data":7}"#, r#"{"n":2,"data":8}"#].map(str::to_owned)).await;
    within(desk.begun.notified(), "a message").await;
    let (mut client, hello) = connect(&server, "/late", &ticket(&hello)).await;
    let told = (&hello["heard"], &hello["handling"], &hello["known"]);
    assert_eq!(told, (&json!(0), &json!(1), &json!(true)));
    assert_eq!(lost.close_code().await, 4409);
    // What waited at the other connection is its client's to send again.
    client.say_all([r#"{"n":1,"data":7}"#, r#"{"n":2,"data":8}"#].map(str::to_owned)).await;
    desk.go.notify_one();
    within(desk.begun.notified(), "the next message").await;
    desk.go.notify_one();
    let mut replies = Vec::new();
    while replies.len() < 2 {
        replies.extend(hear(&mut client).await.get("re").cloned());
    }
    assert_eq!(replies, [1, 2]);
    assert_eq!(*desk.seen.lock().unwrap(), [(Some(1), 7), (Some(2), 8)]);
    server.stop().await;
}

/// Its client is cut, or cuts, while it judges a message.
#[tokio::test]
async fn what_a_handler_does_to_its_client_concerns_the_connection_that_came_back() {
    let desk = Arc::<Desk>::default();
    let server = start(counter(Arc::clone(&desk))).await;
    let come_back = async |first: &str| {
        let (mut lost, hello) = connect(&server, "/judged", "pode.v1").await;
        lost.say(first).await;
        within(desk.begun.notified(), "a message").await;
        let (mut client, _) = connect(&server, "/judged", &ticket(&hello)).await;
        client.say(first).await;
        client
    };
    let mut client = come_back(r#"{"n":1,"data":"join"}"#).await;
    desk.go.notify_one();
    while hear(&mut client).await.get("ack").is_none() {}
    server.signals().send(JUDGED, &"to the group".to_owned()).to_group("judged").await.unwrap();
    assert_eq!(hear(&mut client).await["data"], "to the group");

    let mut client = come_back(r#"{"n":1,"data":"close"}"#).await;
    desk.go.notify_one();
    assert_eq!(client.close_code().await, 4403);
    server.stop().await;
}

#[tokio::test]
async fn a_ticket_is_good_at_its_path_and_for_its_client() {
    let desk = Arc::<Desk>::default();
    let server = start(counter(Arc::clone(&desk))).await;
    let (mut client, hello) = connect(&server, "/rooms/1", "pode.v1").await;
    client.say(r#"{"n":1,"data":7}"#).await;
    while hear(&mut client).await.get("ack").is_none() {}
    let position = |hello: &Value| format!("{}-1", hello["epoch"].as_str().unwrap());
    drop(client);
    let id = hello["id"].as_str().unwrap().parse::<ClientId>().unwrap();
    server.signals().send(ROOM.at(&1), &8).to_client(&id).await.unwrap();

    // It gets what was for it alone.
    let path = format!("/rooms/1?resume={}", position(&hello));
    let (mut client, back) = connect(&server, &path, &ticket(&hello)).await;
    assert_eq!(
        (&back["id"], &back["heard"], &back["known"]),
        (&hello["id"], &json!(1), &json!(true))
    );
    assert_eq!(hear(&mut client).await["data"], 8);
    for (path, offered) in [
        (&*path, "pode.v1".to_owned()),
        (&*path, "pode.v1, pode.ticket.".to_owned()),
        (&*path, format!("{}A", ticket(&hello))),
        (&*path, ticket(&hello).to_lowercase()),
        ("/rooms/2", ticket(&hello)),
        ("/count", ticket(&hello)),
    ] {
        let (_, other) = connect(&server, path, &offered).await;
        assert_ne!(other["id"], hello["id"], "{offered} at {path}");
        assert_eq!(other["heard"], 0);
        assert_eq!(other.get("known").is_some(), offered != "pode.v1");
    }
    client.say(r#"{"n":2,"data":9}"#).await;
    while hear(&mut client).await.get("ack").is_none() {}

    // An id of the program's counts if the program sets it again.
    let (mut ada, hello) = connect(&server, "/named?name=ada", "pode.v1").await;
    ada.say(r#"{"n":1,"data":3}"#).await;
    while hear(&mut ada).await.get("ack").is_none() {}
    drop(ada);
    let back = async |query| connect(&server, &format!("/named?{query}"), &ticket(&hello)).await.1;
    let (nobody, bob, ada) = (back("").await, back("name=bob").await, back("name=ada").await);
    assert!(nobody["id"] != "ada" && nobody["known"] == false, "{nobody}");
    assert!(bob["id"] == "bob" && bob["known"] == false && bob["heard"] == 0, "{bob}");
    assert!(ada["id"] == "ada" && ada["known"] == true && ada["heard"] == 1, "{ada}");
    server.stop().await;
}

/// Whoever comes with the same name, and isn't the same client, has numbers of its own.
#[tokio::test]
async fn a_reply_says_its_number_to_the_client_that_asked() {
    let server = start(counter(Arc::default())).await;
    let (mut ada, hello) = connect(&server, "/named?name=ada", "pode.v1").await;
    assert_eq!(hear(&mut ada).await, json!({ "live": 0 }));
    ada.say(r#"{"n":1,"data":3}"#).await;
    assert_eq!(hear(&mut ada).await["re"], 1);
    let path = format!("/named?name=ada&resume={}-0", hello["epoch"].as_str().unwrap());
    for offered in ["pode.v1", "pode.v1, pode.ticket.x"] {
        let (mut other, _) = connect(&server, &path, offered).await;
        assert_eq!(hear(&mut other).await, json!({ "at": 1, "data": 3 }));
    }
    let (mut ada, _) = connect(&server, &path, &ticket(&hello)).await;
    assert_eq!(hear(&mut ada).await, json!({ "at": 1, "re": 1, "data": 3 }));
    server.stop().await;
}

#[tokio::test]
async fn a_ticket_is_renewed_in_time() {
    let server = start(counter(Arc::default())).await;
    let (mut client, hello) = connect(&server, "/news", "pode.v1").await;
    let renewed = loop {
        let object = hear(&mut client).await;
        if object.get("ticket").is_some() {
            break object;
        }
    };
    assert_ne!(renewed["ticket"], hello["ticket"]);
    let (_, back) = connect(&server, "/news", &ticket(&renewed)).await;
    assert_eq!(back["id"], hello["id"]);
    // Clients only listen.
    assert!(back.get("heard").is_none() && back.get("known").is_none(), "{back}");
    server.stop().await;
}

/// Returns up to which number messages are acknowledged, and then the close code.
async fn last_ack(client: &mut Client) -> (Value, u16) {
    let mut ack = json!(0);
    loop {
        match client.message().await {
            Message::Close(Some(frame)) => return (ack, frame.code.into()),
            object => {
                let object: Value = serde_json::from_str(object.to_text().unwrap()).unwrap();
                ack = object["ack"].clone();
            }
        }
    }
}

#[tokio::test]
async fn what_is_handled_as_the_server_stops_is_acknowledged() {
    let desk = Arc::<Desk>::default();
    let server = start(counter(Arc::clone(&desk))).await;
    let (mut idle, _) = connect(&server, "/late", "pode.v1").await;
    let (mut client, _) = connect(&server, "/kept", "pode.v1").await;
    let say = |(number, data)| format!(r#"{{"n":{number},"data":{data}}}"#);
    client.say_all([(1, 7), (2, 8), (3, 9), (4, 10)].map(say)).await;
    within(desk.begun.notified(), "a message").await;
    let stopping = tokio::spawn(server.stop());
    assert_eq!(idle.close_code().await, 1001);
    for _ in 0..2 {
        desk.go.notify_one();
        within(desk.begun.notified(), "a message").await;
    }
    // Its reply comes too late, so it is the next server's.
    desk.go.notify_one();
    assert_eq!(last_ack(&mut client).await, (json!(2), 1001));
    stopping.await.unwrap();
    assert_eq!(*desk.seen.lock().unwrap(), [(Some(1), 7), (Some(2), 8), (Some(3), 9)]);
}

#[tokio::test]
async fn a_handler_that_never_returns_holds_up_no_acknowledgement_and_no_close_frame() {
    let desk = Arc::<Desk>::default();
    let server = start(stuck(Arc::clone(&desk))).await;
    let (mut client, _) = connect(&server, "/stuck", "pode.v1").await;
    client.say_all([r#"{"n":1,"data":0}"#, r#"{"n":2,"data":1}"#].map(str::to_owned)).await;
    for _ in 0..2 {
        within(desk.begun.notified(), "a message").await;
    }
    let stopping = tokio::spawn(server.stop());
    assert_eq!(last_ack(&mut client).await, (json!(1), 1001));
    stopping.await.unwrap();
}
