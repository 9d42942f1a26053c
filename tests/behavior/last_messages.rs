//! The last message of each room and of each key, where a real Redis has dropped the
//! messages themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use pode::prelude::*;
use pode::{RunningServer, SendError};
use pode_core::hub::spread;
use serde_json::Value;

use crate::backplane::{Redis, connect, hear};
use crate::support::start;

pode_server! {
    server shop(redis: String, limit: Duration) { send_timeout: limit };
    backplane redis redis { kept_messages: 1_000 };
    endpoint ws "127.0.0.1:0";
    signal ROOM: u64 = "/rooms/:room" (room: u32) { history_messages: 10, replay: Last };
    signal PRICE: u64 = "/price" { history_messages: 1_200, replay: Last, latest_by: |price| (price / 100).to_string() };
}

/// The same, before the last messages counted.
mod before {
    use pode::prelude::*;

    pode_server! {
        pub(super) server shop(redis: String);
        backplane redis redis { kept_messages: 1_000 };
        endpoint ws "127.0.0.1:0";
        signal ROOM: u64 = "/rooms/:room" (room: u32) { history_messages: 10 };
    }
}

/// More than Redis keeps of a signal, which drops them in pieces.
const MANY: u64 = 1_300;

async fn node(redis: &Redis) -> RunningServer {
    start(shop(redis.url(), Duration::from_secs(60))).await
}

/// Returns rooms whose messages are in one stream, and the name of that.
fn rooms() -> ([u32; 4], String) {
    let is_there = |room: &u32| spread(&format!("/rooms/{room}"), 16) == 3;
    let mut rooms = (0..).filter(is_there);
    ([(); 4].map(|()| rooms.next().unwrap()), "/rooms/:room:3".to_owned())
}

/// Returns what a client gets before it is live, and the position of that: by key, or as
/// it comes.
async fn before_live(node: &RunningServer, path: &str) -> (Value, BTreeMap<String, u64>) {
    let (mut client, hello) = connect(node, path).await;
    let mut all = BTreeMap::new();
    loop {
        let heard = hear(&mut client).await;
        if heard["live"].is_number() {
            return (hello, all);
        }
        let Some(number) = heard["data"].as_u64() else { continue };
        let key = heard["key"].as_str().map_or_else(|| all.len().to_string(), str::to_owned);
        all.insert(key, number);
    }
}

async fn in_room(node: &RunningServer, room: u32) -> Vec<u64> {
    before_live(node, &format!("/rooms/{room}")).await.1.into_values().collect()
}

async fn prices(node: &RunningServer) -> Vec<(String, u64)> {
    before_live(node, "/price").await.1.into_iter().collect()
}

fn priced(prices: &[(u64, u64)]) -> Vec<(String, u64)> {
    prices.iter().map(|(key, price)| (key.to_string(), *price)).collect()
}

async fn length(redis: &Redis, command: &str, key: &str) -> u64 {
    redis.command(&[command, &format!("pode:{{shop}}:{key}")]).await.trim().parse().unwrap()
}

/// Such as one that is started in the place of another one.
#[tokio::test]
async fn a_node_that_begins_has_the_last_message_of_each_room_and_key() {
    let redis = Redis::start("last-messages").await;
    let old = node(&redis).await;
    let ([one, two, three, busy], stream) = rooms();
    let signals = old.signals();
    for (room, number) in [(one, 10), (one, 11), (two, 20), (three, 30)] {
        signals.send(ROOM.at(&room), &number).await.unwrap();
    }
    // Nobody there is meant.
    signals.send(ROOM.at(&three), &31).to_group("crew").await.unwrap();
    for price in [101, 201, 301, 102] {
        signals.send(PRICE, &price).await.unwrap();
    }
    signals.remove(PRICE, "3").await.unwrap();
    let [room_position, price_position] =
        [signals.position(ROOM.at(&busy)), signals.position(PRICE)].map(Option::unwrap);
    for number in 0..MANY {
        let room = signals.send(ROOM.at(&busy), &number).into_future();
        let price = signals.send(PRICE, &(900 + number % 100)).into_future();
        let (room, price) = tokio::join!(room, price);
        room.unwrap();
        price.unwrap();
    }
    for stream in [&*stream, "/price"] {
        assert!(length(&redis, "XLEN", &format!("stream:{stream}")).await < MANY);
    }

    let new = node(&redis).await;
    for node in [&old, &new] {
        assert_eq!(in_room(node, one).await, [11]);
        assert_eq!(in_room(node, two).await, [20]);
        assert_eq!(in_room(node, three).await, [30]);
        assert_eq!(in_room(node, busy).await, [MANY - 1]);
        assert_eq!(prices(node).await, priced(&[(1, 102), (2, 201), (9, 999)]));
    }
    // What was between them, a node that has begun since doesn't have.
    for (path, position) in
        [(format!("/rooms/{busy}"), room_position), ("/price".to_owned(), price_position)]
    {
        let (hello, got) = before_live(&new, &format!("{path}?resume={position}")).await;
        assert_eq!(hello["resumed"], false, "{hello}");
        assert!(got.len() >= 3, "{got:?}");
    }

    // They go with all else.
    redis.command(&["FLUSHALL"]).await;
    for node in [&old, &new] {
        node.signals().send(ROOM.at(&two), &21).await.unwrap();
        node.signals().send(PRICE, &202).await.unwrap();
    }
    for number in 0..MANY {
        old.signals().send(ROOM.at(&busy), &number).await.unwrap();
    }
    let newest = node(&redis).await;
    assert_eq!(in_room(&newest, one).await, [0; 0]);
    assert_eq!(in_room(&newest, two).await, [21]);
    assert_eq!(prices(&newest).await, priced(&[(2, 202)]));
    for node in [old, new, newest] {
        node.stop().await;
    }
}

/// None is better than one that others have replaced.
#[tokio::test]
async fn what_nodes_have_sent_that_keep_no_last_messages_is_not_passed_over() {
    let redis = Redis::start("last-unknown").await;
    let ([one, two, three, busy], stream) = rooms();
    let (old, other) = (node(&redis).await, start(before::shop(redis.url())).await);
    old.signals().send(ROOM.at(&one), &1).await.unwrap();
    old.signals().send(ROOM.at(&three), &3).await.unwrap();
    old.stop().await;
    other.signals().send(before::ROOM.at(&one), &2).await.unwrap();
    for number in 0..MANY {
        other.signals().send(before::ROOM.at(&busy), &number).await.unwrap();
    }
    for begins in [true, false] {
        let new = node(&redis).await;
        for room in [one, three] {
            assert_eq!(in_room(&new, room).await, [0; 0]);
        }
        if begins {
            new.signals().send(ROOM.at(&two), &7).await.unwrap();
        }
        new.stop().await;
    }
    let new = node(&redis).await;
    for number in 0..MANY {
        new.signals().send(ROOM.at(&busy), &number).await.unwrap();
    }
    let newest = node(&redis).await;
    assert!(length(&redis, "HLEN", &format!("last:{stream}")).await > 1);
    assert_eq!(in_room(&newest, one).await, [0; 0]);
    assert_eq!(in_room(&newest, two).await, [7]);
    for node in [other, new, newest] {
        node.stop().await;
    }
}

/// Else clients that make up keys take memory of Redis without end.
#[tokio::test]
async fn redis_has_as_many_last_messages_as_keys_are_kept() {
    let redis = Redis::start("last-bounded").await;
    let old = node(&redis).await;
    for key in 0..MANY {
        old.signals().send(PRICE, &(100 * key)).await.unwrap();
    }
    for _ in 0..MANY {
        old.signals().send(PRICE, &(100 * MANY)).await.unwrap();
    }
    assert_eq!(length(&redis, "HLEN", "last:/price").await, 1_201);
    assert_eq!(length(&redis, "ZCARD", "last-numbers:/price").await, 1_200);
    let new = node(&redis).await;
    let mut keys: Vec<u64> =
        prices(&new).await.iter().map(|(key, _)| key.parse().unwrap()).collect();
    keys.sort_unstable();
    assert_eq!(keys, Vec::from_iter(MANY + 1 - 1_200..=MANY));
    for node in [old, new] {
        node.stop().await;
    }
}

/// As without last messages.
#[tokio::test]
async fn cut_connections_neither_lose_nor_repeat_last_messages() {
    let redis = Redis::start("last-cuts").await;
    let (one, other) = (node(&redis).await, node(&redis).await);
    let (mut ada, _) = connect(&one, "/price").await;
    assert!(hear(&mut ada).await["live"].is_number());
    let sending = [&one, &other].map(|node| {
        let signals = node.signals().clone();
        let which = u64::from(std::ptr::eq(node, &other));
        tokio::spawn(async move {
            for number in 0..500 {
                signals.send(PRICE, &(2 * number + which)).await.unwrap();
            }
        })
    });
    let cutting = async {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            redis.command(&["CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "yes"]).await;
            redis.command(&["SCRIPT", "FLUSH"]).await;
        }
    };
    let hearing = async {
        let mut next = [0, 1];
        while next != [1_000, 1_001] {
            let heard = hear(&mut ada).await;
            assert!(heard.get("gap").is_none() && heard.get("reset").is_none(), "{heard}");
            let Some(number) = heard["data"].as_u64() else { continue };
            let next = &mut next[number as usize % 2];
            assert_eq!(number, *next);
            *next += 2;
        }
    };
    tokio::join!(cutting, hearing);
    for sending in sending {
        sending.await.unwrap();
    }
    for node in [one, other] {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_last_message_for_which_redis_has_no_room_isnt_sent() {
    let redis = Redis::start("last-full").await;
    let node = start(shop(redis.url(), Duration::from_millis(300))).await;
    node.signals().send(PRICE, &1).await.unwrap();
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let refused = node.signals().send(PRICE, &2).await;
    assert!(matches!(refused, Err(SendError::Unknown { .. })), "{refused:?}");
    let refused = node.signals().send(PRICE, &3).await;
    assert!(matches!(refused, Err(SendError::Backplane { .. })), "{refused:?}");
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    while let Err(error) = node.signals().send(PRICE, &4).await {
        assert!(matches!(error, SendError::Backplane { .. } | SendError::Unknown { .. }));
    }
    let sent = redis.command(&["XRANGE", "pode:{shop}:stream:/price", "-", "+"]).await;
    // What was on its way went when there was room, and nothing twice.
    let price = |price: u64| sent.matches(&format!("\"value\":\"text\"}}}}{price}")).count();
    assert_eq!([1, 2, 3].map(price), [1, 1, 0], "{sent}");
    node.stop().await;
}
