//! Signals: recipients, order, and how connections end.

use pode::prelude::*;
use pode::{RunningServer, test};
use serde_json::value::RawValue;

use crate::support::{Client, start};

#[derive(Serialize)]
struct Message {
    #[serde(rename = "Message")]
    message: String,
}

#[derive(Deserialize)]
struct Broadcast {
    message: String,
}

pode_server! {
    server signals;
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    signal CHAT: Message = "/";
    signal RESPONSE_TIMES: Vec<u32> = "/response-times";
    signal ONE_AT_A_TIME: u32 = "/one-at-a-time" { capacity_messages: 1 };
    route POST "/broadcast" (form: Broadcast) => async |event: WebEvent, form: Broadcast| {
        event.send(CHAT, &Message { message: form.message }).await
    };
}

fn chat(message: &str) -> Message {
    Message { message: message.to_owned() }
}

#[tokio::test]
async fn everyone_on_a_path_gets_what_is_posted() {
    let server = test::start(signals()).await;
    let mut clients = [server.connect(CHAT).await, server.connect(CHAT).await];
    server.post("/broadcast").form(&[("message", "hi")]).await.assert_status(204);
    for client in &mut clients {
        assert_eq!(client.next_text().await, r#"{"Message":"hi"}"#);
    }
}

async fn ten_thousand_in_a_row(capacity: SignalPath<u32>, server: &RunningServer) {
    let mut client = Client::connect(server, capacity.as_str()).await;
    let signals = server.signals().clone();
    let sender = tokio::spawn(async move {
        for number in 0..10_000 {
            signals.send(capacity, &number).await.expect("nothing is refused");
        }
    });
    for number in 0..10_000 {
        assert_eq!(client.text().await, number.to_string());
    }
    sender.await.unwrap();
}

const RESPONSE_NUMBERS: SignalPath<u32> = SignalPath::new("/response-times");

#[tokio::test]
async fn ten_thousand_sends_in_a_row_arrive_complete_and_in_order() {
    let server = start(signals()).await;
    // The same path with another type: at the default capacity.
    ten_thousand_in_a_row(RESPONSE_NUMBERS, &server).await;
    ten_thousand_in_a_row(ONE_AT_A_TIME, &server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_sends_arrive_with_several_threads_and_senders_too() {
    let server = start(signals()).await;
    ten_thousand_in_a_row(RESPONSE_NUMBERS, &server).await;

    let mut client = Client::connect(&server, "/response-times").await;
    let senders: Vec<_> = (0..4)
        .map(|sender| {
            let signals = server.signals().clone();
            tokio::spawn(async move {
                for number in 0..1_000 {
                    signals
                        .send(RESPONSE_TIMES, &vec![sender, number])
                        .await
                        .expect("nothing is refused");
                }
            })
        })
        .collect();
    let mut next = [0; 4];
    for _ in 0..4_000 {
        let [sender, number]: [usize; 2] = serde_json::from_str(&client.text().await).unwrap();
        assert_eq!(number, next[sender], "messages of one sender keep their order");
        next[sender] += 1;
    }
    for sender in senders {
        sender.await.unwrap();
    }
}

#[tokio::test]
async fn a_client_gets_its_path_and_what_is_sent_to_all() {
    let server = test::start(signals()).await;
    let mut times = server.connect(RESPONSE_TIMES).await;
    let mut one = server.connect(ONE_AT_A_TIME).await;
    let mut chatting = server.connect(CHAT).await;
    let signals = server.signals();

    signals.send(CHAT, &chat("not for times")).await.unwrap();
    signals.send(RESPONSE_TIMES, &vec![1, 2]).await.unwrap();
    signals.send_to_all(&"for all").await.unwrap();
    let json = RawValue::from_string(r#"{ "exactly":  [1.0e2, "ü"] }"#.to_owned()).unwrap();
    signals.send_json(RESPONSE_TIMES, &json).await.unwrap();
    signals.send(ONE_AT_A_TIME, &7).await.unwrap();
    signals.try_send(RESPONSE_TIMES, &vec![3]).unwrap();

    assert_eq!(times.next().await, [1, 2]);
    assert_eq!(times.next_text().await, r#""for all""#);
    assert_eq!(times.next_text().await, r#"{ "exactly":  [1.0e2, "ü"] }"#);
    assert_eq!(times.next().await, [3]);
    assert_eq!(one.next_text().await, r#""for all""#);
    assert_eq!(one.next().await, 7);
    chatting.assert_next(&chat("not for times")).await;
    assert_eq!(chatting.next_text().await, r#""for all""#);
    tokio::join!(times.assert_silent(), one.assert_silent(), chatting.assert_silent());
}

#[tokio::test]
async fn clients_only_listen() {
    let server = test::start(signals()).await;
    let mut listening = server.connect(CHAT).await;
    let mut speaking = server.connect(CHAT).await;
    speaking.send_text("hello").await;
    assert_eq!(speaking.closed().await.code, 1003);
    server.signals().send(CHAT, &chat("hi")).await.unwrap();
    listening.assert_next(&chat("hi")).await;
}

#[tokio::test]
async fn a_signal_of_another_server_is_an_error() {
    const OTHER: SignalPath<u32> = SignalPath::new("/other");
    let server = start(signals()).await;
    let error = server.signals().send(OTHER, &1).await.unwrap_err();
    assert_eq!(error.to_string(), "no signal is declared at `/other`");
}
