//! Signals of which the newest message of each key counts.

use pode::prelude::*;
use pode::{Protocol, RunningServer};
use serde_json::{Value, json};

use crate::support::{Client, start};

#[derive(Clone, Deserialize, Serialize)]
struct Tick {
    symbol: String,
    price: u32,
}

pode_server! {
    server market;
    endpoint ws "127.0.0.1:0";
    signal PRICE: Tick -> Tick = "/prices" {
        history_messages: 100,
        latest_by: |tick| &tick.symbol,
        replay: Last,
    } => quote;
    signal ROOM: Tick = "/rooms/:room" (room: u32) {
        history_messages: 2,
        latest_by: |tick| tick.symbol.to_lowercase(),
        replay: All,
    };
}

/// A price of 0 takes a symbol from the list; one of 1 is only for whoever sent it.
async fn quote(event: SignalEvent<Tick>, tick: Tick) -> Result<(), SendError> {
    match tick.price {
        0 => event.remove(PRICE, &tick.symbol).await,
        1 => event.reply(&tick).await,
        _ => event.send(PRICE, &tick).await,
    }
}

fn tick(symbol: &str, price: u32) -> Tick {
    Tick { symbol: symbol.to_owned(), price }
}

/// Returns a message, or without a price, a removal.
fn told(at: u64, symbol: &str, price: Option<u32>) -> Value {
    let mut told = json!({ "at": at, "key": symbol });
    if let Some(price) = price {
        told["data"] = json!({ "symbol": symbol, "price": price });
    }
    told
}

async fn connect(server: &RunningServer, path: &str) -> (Client, Value) {
    let address = server.address(Protocol::Ws).unwrap();
    let headers = [("sec-websocket-protocol", "pode.v1")];
    let (mut client, _) = Client::handshake(address, path, &headers).await.unwrap();
    let hello = hear(&mut client).await;
    (client, hello)
}

async fn hear(client: &mut Client) -> Value {
    serde_json::from_str(&client.text().await).unwrap()
}

#[tokio::test]
async fn whoever_connects_has_the_newest_of_each_key() {
    let server = start(market()).await;
    let mut plain = Client::connect(&server, "/prices").await;
    for (symbol, price) in [("A", 5), ("B", 6), ("A", 7), ("C", 8)] {
        plain.say(&json!({ "symbol": symbol, "price": price }).to_string()).await;
        let heard: Value = serde_json::from_str(&plain.text().await).unwrap();
        assert_eq!(heard, json!({ "symbol": symbol, "price": price }));
    }
    plain.say(r#"{"symbol":"B","price":0}"#).await;
    // It hears of no removal; and what it alone hears is no state.
    plain.say(r#"{"symbol":"B","price":1}"#).await;
    assert_eq!(plain.text().await, r#"{"symbol":"B","price":1}"#);

    let (mut client, hello) = connect(&server, "/prices").await;
    assert_eq!(hello["at"], 2);
    assert_eq!(hear(&mut client).await, told(3, "A", Some(7)));
    assert_eq!(hear(&mut client).await, told(4, "C", Some(8)));
    assert_eq!(hear(&mut client).await, json!({ "live": 6 }));
    server.signals().send(PRICE, &tick("A", 9)).await.unwrap();
    server.signals().remove(PRICE, "C").await.unwrap();
    assert_eq!(hear(&mut client).await, told(7, "A", Some(9)));
    assert_eq!(hear(&mut client).await, told(8, "C", None));

    let epoch = hello["epoch"].as_str().unwrap();
    let (mut client, hello) = connect(&server, &format!("/prices?resume={epoch}-3")).await;
    assert_eq!(hello["resumed"], true);
    assert_eq!(hear(&mut client).await, told(5, "B", None));
    assert_eq!(hear(&mut client).await, told(7, "A", Some(9)));
    assert_eq!(hear(&mut client).await, told(8, "C", None));
    assert_eq!(hear(&mut client).await, json!({ "live": 8 }));

    let (mut client, hello) = connect(&server, "/prices?resume=0000000000000000-9").await;
    assert_eq!((&hello["resumed"], &hello["at"]), (&json!(false), &json!(0)));
    assert_eq!(hear(&mut client).await, json!({ "reset": 0 }));
    assert_eq!(hear(&mut client).await, told(7, "A", Some(9)));
    assert_eq!(hear(&mut client).await, json!({ "live": 8 }));
    server.stop().await;
}

#[tokio::test]
async fn each_room_has_keys_of_its_own() {
    let server = start(market()).await;
    let signals = server.signals();
    for (room, symbol) in [(1, "a"), (1, "b"), (2, "a"), (1, "A"), (1, "c")] {
        signals.send(ROOM.at(&room), &tick(symbol, 1)).await.unwrap();
    }
    for (room, symbols) in [(1, ["A", "c"]), (2, ["a", ""])] {
        let (mut client, _) = connect(&server, &format!("/rooms/{room}")).await;
        for symbol in symbols.into_iter().filter(|symbol| !symbol.is_empty()) {
            let heard = hear(&mut client).await;
            assert_eq!(heard["data"]["symbol"], symbol);
            assert_eq!(heard["key"], symbol.to_lowercase());
        }
        assert!(hear(&mut client).await["live"].is_u64());
    }
    let long = signals.send(ROOM.at(&1), &tick(&"x".repeat(257), 1)).await;
    let said = "a key for signal `/rooms/:room` has 257 bytes, more than 256";
    assert_eq!(long.unwrap_err().to_string(), said);
    server.stop().await;
}

#[tokio::test]
async fn a_test_hears_of_keys_and_of_a_reset() {
    let server = pode::test::start(market()).await;
    let mut client = server.connect(ROOM.at(&1)).protocol_v1().await;
    client.until_live().await;
    client.cut();
    for symbol in ["a", "b", "c"] {
        server.signals().send(ROOM.at(&1), &tick(symbol, 1)).await.unwrap();
    }
    client.come_back().await;
    client.next_reset().await;
    for symbol in ["b", "c"] {
        assert_eq!(client.next_received::<Tick>().await.key.as_deref(), Some(symbol));
    }
    server.signals().remove(ROOM.at(&1), "b").await.unwrap();
    assert_eq!(client.next_removal().await, "b");
    client.assert_silent().await;

    // What is no message is kept for the test.
    client.cut();
    server.signals().send(ROOM.at(&1), &tick("c", 2)).await.unwrap();
    server.signals().remove(ROOM.at(&1), "c").await.unwrap();
    server.signals().send(ROOM.at(&1), &tick("d", 3)).await.unwrap();
    client.come_back().await;
    let missed = client.until_live().await;
    assert_eq!(missed.iter().map(|tick| &*tick.symbol).collect::<Vec<_>>(), ["d"]);
    assert_eq!(client.next_removal().await, "c");
    client.assert_silent().await;
}
