//! Servers of many nodes, with a real Redis between them.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use pode::prelude::*;
use pode::{Protocol, RunningServer, SendError};
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::support::{Client, Folder, Process, get_at, installed, start, within};

pode_server! {
    server shop(redis: String, limit: Duration) { send_timeout: limit };
    backplane redis redis { kept_messages: 1_000 };
    endpoint inner http "127.0.0.1:0";
    endpoint ws "127.0.0.1:0";
    operations { endpoint: inner };
    signal CHAT: u64 -> u64 = "/chat" { history_messages: 100 } => async |event: SignalEvent<u64>, number: u64| {
        event.send(CHAT, &number).await
    };
    signal ROOM: u64 = "/rooms/:room" (room: u32) { history_messages: 100 };
    signal PRICE: u64 = "/price" { history_messages: 100, latest_by: |price| (price / 100).to_string() };
    signal BARE: u64 -> u64 = "/bare" => async |event: SignalEvent<u64>, group: u64| {
        event.client().join_group(&group.to_string()).await?;
        event.reply(&group).await
    };
    signal HALL: u64 = "/hall" { presence: 10 };
    on connect HALL => async |event: ConnectEvent<u64>| event.present(event.query());
}

mod handed_over {
    use std::time::Duration;

    use pode::prelude::*;

    pode_server! {
        pub(super) server shop(redis: String, socket: String) { hand_over: socket, drain: Duration::ZERO };
        backplane redis redis;
        endpoint ws "127.0.0.1:0";
        signal CHAT: u64 = "/chat" { history_messages: 100 };
        signal ASKED: u64 -> u64 = "/asked" => async |event: SignalEvent<u64>, number: u64| {
            event.reply(&number).await
        };
    }
}

pode_server! {
    server clockwork(redis: String, fired: UnboundedSender<(TimerEvent, usize)>, node: usize);
    backplane redis redis { kept_messages: 1_000 };
    endpoint ws "127.0.0.1:0";
    #[allow(dead_code)]
    signal NEWS: u64 = "/news";
    state FIRED: (UnboundedSender<(TimerEvent, usize)>, usize) = (fired, node);
    timer "stock" every 20ms { on: OneNode } => async |event| {
        let (fired, node) = event.state(FIRED);
        let _ = fired.send((event.clone(), *node));
    };
}

/// A Redis of one test.
pub(super) struct Redis {
    folder: Folder,
    process: Process,
}

impl Redis {
    pub(super) async fn start(name: &str) -> Redis {
        let folder = Folder::new(name);
        let process = Redis::begin(&folder).await;
        Redis { folder, process }
    }

    async fn begin(folder: &Folder) -> Process {
        let socket = folder.file("redis.sock");
        let _ = std::fs::remove_file(&socket);
        let mut command = Command::new(installed("redis-server"));
        command.args(["--port", "0", "--unixsocket", &socket, "--save", "", "--dir"]);
        command.arg(folder.file("")).args(["--appendonly", "no"]);
        command.stdout(std::process::Stdio::null());
        let process = Process::start(&mut command);
        let is_there = async {
            while UnixStream::connect(&socket).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        within(is_there, "Redis").await;
        process
    }

    pub(super) fn url(&self) -> String {
        format!("unix://{}", self.folder.file("redis.sock"))
    }

    /// Kills it; what it had is gone.
    async fn kill(&mut self) {
        self.process.signal("-KILL");
        let gone = async {
            while UnixStream::connect(self.folder.file("redis.sock")).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        within(gone, "the end of Redis").await;
    }

    async fn come_back(&mut self) {
        self.process = Redis::begin(&self.folder).await;
    }

    async fn node(&self) -> RunningServer {
        start(shop(self.url(), Duration::from_secs(60))).await
    }

    pub(super) async fn command(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(installed("redis-cli"));
        command.arg("-s").arg(self.folder.file("redis.sock")).args(arguments);
        String::from_utf8_lossy(&command.output().await.unwrap().stdout).into_owned()
    }
}

pub(super) async fn connect(server: &RunningServer, path: &str) -> (Client, Value) {
    connect_as(server, path, "pode.v1").await
}

async fn connect_as(server: &RunningServer, path: &str, offered: &str) -> (Client, Value) {
    let address = server.address(Protocol::Ws).unwrap();
    let headers = [("sec-websocket-protocol", offered)];
    let (mut client, _) = Client::handshake(address, path, &headers).await.unwrap();
    let hello = hear(&mut client).await;
    (client, hello)
}

pub(super) async fn hear(client: &mut Client) -> Value {
    serde_json::from_str(&client.text().await).unwrap()
}

/// Returns what a client offers that comes back as the same.
fn ticket_in(hello: &Value) -> String {
    format!("pode.v1, pode.ticket.{}", hello["ticket"].as_str().unwrap())
}

/// Returns the position behind what a client heard.
fn behind(hello: &Value, heard: &Value) -> String {
    format!("{}-{}", hello["epoch"].as_str().unwrap(), heard["at"])
}

#[tokio::test]
async fn two_nodes_are_one_server() {
    let redis = Redis::start("two-nodes").await;
    let (one, other) = (redis.node().await, redis.node().await);
    let (mut ada, hello) = connect(&one, "/chat").await;
    let (mut bob, its) = connect(&other, "/chat").await;
    assert_eq!((&hello["epoch"], &hello["at"]), (&its["epoch"], &its["at"]));
    for client in [&mut ada, &mut bob] {
        assert!(hear(client).await["live"].is_number());
    }
    ada.say(r#"{"n":1,"data":7}"#).await;
    let heard = hear(&mut bob).await;
    assert_eq!((&heard["data"], hear(&mut ada).await), (&json!(7), heard.clone()));
    assert_eq!(hear(&mut ada).await, json!({ "ack": 1 }));
    for number in 0..50 {
        let from = if number % 2 == 0 { &one } else { &other };
        from.signals().send(CHAT, &number).await.unwrap();
    }
    for number in 0..50 {
        let heard = hear(&mut ada).await;
        assert_eq!((&heard["data"], hear(&mut bob).await), (&json!(number), heard.clone()));
    }

    // A position is good on each, on one that has just begun, too.
    let third = redis.node().await;
    for node in [&one, &other, &third] {
        let path = format!("/chat?resume={}", behind(&hello, &heard));
        let (mut back, hello) = connect(node, &path).await;
        assert_eq!(hello["resumed"], true, "{hello}");
        for number in 0..50 {
            assert_eq!(hear(&mut back).await["data"], number);
        }
        assert!(hear(&mut back).await["live"].is_number());
    }
    for node in [one, other, third] {
        node.stop().await;
    }
}

#[tokio::test]
async fn rooms_keys_and_groups_are_the_same_on_each_node() {
    let redis = Redis::start("rooms").await;
    let (one, other) = (redis.node().await, redis.node().await);
    let (mut room, _) = connect(&one, "/rooms/7").await;
    let (mut price, _) = connect(&one, "/price").await;
    let (mut bare, _) = connect(&one, "/bare").await;
    for client in [&mut room, &mut price, &mut bare] {
        assert!(hear(client).await["live"].is_number());
    }
    other.signals().send(ROOM.at(&8), &1).await.unwrap();
    other.signals().send(ROOM.at(&7), &2).await.unwrap();
    assert_eq!(hear(&mut room).await["data"], 2);
    other.signals().send(PRICE, &101).await.unwrap();
    other.signals().remove(PRICE, "1").await.unwrap();
    let heard = [hear(&mut price).await, hear(&mut price).await];
    assert_eq!((&heard[0]["key"], &heard[0]["data"]), (&json!("1"), &json!(101)));
    assert_eq!((&heard[1]["key"], heard[1].get("data")), (&json!("1"), None));
    bare.say(r#"{"n":1,"data":5}"#).await;
    while hear(&mut bare).await.get("ack").is_none() {}
    other.signals().send(BARE, &9).to_group("6").await.unwrap();
    other.signals().send(BARE, &8).to_group("5").await.unwrap();
    assert_eq!(hear(&mut bare).await["data"], 8);
    for node in [one, other] {
        node.stop().await;
    }
}

/// Listens until just these are present, by what is told of them.
async fn until_present(client: &mut Client, expected: &[&str]) {
    let mut present = BTreeMap::new();
    while !present.values().eq(expected) {
        let heard = hear(client).await;
        if let Some(here) = heard["here"].as_object() {
            present = here.clone().into_iter().collect();
        } else if let Some(id) = heard["join"].as_str() {
            present.insert(id.to_owned(), heard["info"].clone());
        } else if let Some(id) = heard["leave"].as_str() {
            assert!(present.remove(id).is_some(), "{heard}");
        }
    }
}

#[tokio::test]
async fn who_is_present_is_the_same_on_each_node() {
    let redis = Redis::start("presence").await;
    let (one, other) = (redis.node().await, redis.node().await);
    // Their ids rise with the time.
    let (mut ada, _) = connect(&one, "/hall?ada").await;
    until_present(&mut ada, &["ada"]).await;
    let (mut bob, _) = connect(&other, "/hall?bob").await;
    until_present(&mut bob, &["ada", "bob"]).await;
    // One that begins asks, or has read it.
    let third = redis.node().await;
    let (mut eve, _) = connect(&third, "/hall?eve").await;
    until_present(&mut eve, &["ada", "bob", "eve"]).await;
    let present = third.signals().clients(HALL).present::<String>().unwrap();
    assert_eq!(present.len(), 3);
    bob.leave(1000).await;
    let (mut late, _) = connect(&other, "/hall?late").await;
    until_present(&mut late, &["ada", "eve", "late"]).await;
    for node in [one, other, third] {
        node.stop().await;
    }
}

#[tokio::test]
async fn what_redis_loses_is_told_and_what_waits_for_it_isnt_lost() {
    let mut redis = Redis::start("loss").await;
    let (one, other) = (redis.node().await, redis.node().await);
    let (mut ada, before) = connect(&one, "/chat").await;
    let (mut bob, _) = connect(&other, "/chat").await;
    for client in [&mut ada, &mut bob] {
        assert!(hear(client).await["live"].is_number());
    }
    one.signals().send(CHAT, &1).await.unwrap();
    assert_eq!(
        (&hear(&mut ada).await["data"], &hear(&mut bob).await["data"]),
        (&json!(1), &json!(1))
    );
    redis.kill().await;
    let waiting = tokio::spawn(other.signals().send(CHAT, &2).into_future());
    redis.come_back().await;
    waiting.await.unwrap().unwrap();
    for client in [&mut ada, &mut bob] {
        let (mut epoch, mut gaps) = (Value::Null, 0);
        loop {
            let heard = hear(client).await;
            gaps += usize::from(heard["why"] == "epoch");
            if heard.get("epoch").is_some() {
                epoch = heard["epoch"].clone();
            }
            if heard["data"] == 2 && gaps > 0 {
                break;
            }
        }
        assert!(epoch.is_string() && epoch != before["epoch"]);
    }
    for node in [one, other] {
        node.stop().await;
    }
}

/// Else each node would begin one in turn, and many nodes for ever, as only the last
/// terms are remembered.
#[tokio::test]
async fn nodes_that_come_back_to_an_empty_redis_begin_one_term() {
    let mut redis = Redis::start("one-term").await;
    let nodes = [redis.node().await, redis.node().await, redis.node().await];
    nodes[0].signals().send(CHAT, &1).await.unwrap();
    redis.kill().await;
    redis.come_back().await;
    for node in &nodes {
        node.signals().send(CHAT, &2).await.unwrap();
    }
    assert_eq!(redis.command(&["LLEN", "pode:{shop}:terms"]).await, "1\n");
    for node in nodes {
        node.stop().await;
    }
}

/// Such as somebody who tries something by hand.
#[tokio::test]
async fn what_others_write_into_a_stream_stops_nobody() {
    let redis = Redis::start("scribbles").await;
    let (one, other) = (redis.node().await, redis.node().await);
    let (mut ada, _) = connect(&one, "/chat").await;
    assert!(hear(&mut ada).await["live"].is_number());
    let stream = "pode:{shop}:stream:/chat";
    for number in 0..3 {
        // Of its own time, so nothing can be behind it in the current term.
        redis.command(&["XADD", stream, "*", "who", "me"]).await;
        redis.command(&["XADD", stream, "*", "who", "me"]).await;
        other.signals().send(CHAT, &number).await.unwrap();
        let heard = loop {
            let heard = hear(&mut ada).await;
            assert_eq!(heard.get("gap"), None, "{heard}");
            if heard.get("data").is_some() {
                break heard;
            }
        };
        assert_eq!(heard["data"], number);
    }
    // Begun anew by somebody else, so that numbers come twice.
    redis.command(&["DEL", stream]).await;
    redis.command(&["XADD", stream, "1-1", "who", "me"]).await;
    other.signals().send(CHAT, &3).await.unwrap();
    let (mut is_told, mut is_heard) = (false, false);
    while !(is_told && is_heard) {
        let heard = hear(&mut ada).await;
        is_told |= heard.get("gap").is_some();
        is_heard |= heard.get("data").is_some_and(|data| *data == 3);
    }
    // An id behind which there are none: nobody can append until it is gone.
    let (last, refused) = ("18446744073709551615-7", Duration::from_millis(100));
    redis.command(&["XADD", stream, last, "who", "me"]).await;
    let error = shop(redis.url(), refused).start().await.unwrap_err().to_string();
    assert!(error.contains(stream) && error.contains(last), "{error}");
    redis.command(&["DEL", stream]).await;
    one.signals().send(CHAT, &4).await.unwrap();
    other.signals().send(CHAT, &5).await.unwrap();
    for node in [one, other] {
        node.stop().await;
    }
}

#[tokio::test]
async fn what_is_no_stream_is_told_and_nothing_is_written_then() {
    let redis = Redis::start("no-stream").await;
    let (stream, chat) = ("pode:{shop}:stream:/price", "pode:{shop}:stream:/chat");
    redis.node().await.stop().await;
    redis.command(&["DEL", stream]).await;
    redis.command(&["SET", stream, "mine"]).await;
    let before = redis.command(&["XLEN", chat]).await;
    let error = shop(redis.url(), Duration::from_secs(1)).start().await.unwrap_err().to_string();
    assert!(error.contains(stream) && error.contains("WRONGTYPE"), "{error}");
    assert_eq!(redis.command(&["XLEN", chat]).await, before);
    redis.command(&["DEL", stream]).await;
    let node = redis.node().await;
    node.signals().send(PRICE, &1).await.unwrap();
    node.stop().await;
}

#[tokio::test]
async fn what_redis_cant_take_in_time_isnt_sent() {
    let mut redis = Redis::start("away").await;
    let node = start(shop(redis.url(), Duration::from_millis(100))).await;
    redis.kill().await;
    // One may be on its way while the cut isn't noticed.
    loop {
        match node.signals().send(CHAT, &1).await {
            Err(SendError::Unknown { .. }) => {}
            Err(SendError::Backplane { path: "/chat" }) => break,
            other => panic!("{other:?}"),
        }
    }
    redis.come_back().await;
    while let Err(error) = node.signals().send(CHAT, &3).await {
        assert!(matches!(error, SendError::Backplane { .. } | SendError::Unknown { .. }));
    }
    node.stop().await;
}

/// What was for it alone comes, too.
#[tokio::test]
async fn a_ticket_is_good_on_each_node() {
    let redis = Redis::start("tickets").await;
    let (one, other) = (redis.node().await, redis.node().await);
    let (mut ada, hello) = connect(&one, "/chat").await;
    assert!(hear(&mut ada).await["live"].is_number());
    drop(ada);
    let id = hello["id"].as_str().unwrap().parse::<ClientId>().unwrap();
    one.signals().send(CHAT, &7).to_client(&id).await.unwrap();
    let path = format!("/chat?resume={}", behind(&hello, &hello));
    let (mut ada, back) = connect_as(&other, &path, &ticket_in(&hello)).await;
    assert_eq!((&back["id"], &back["resumed"]), (&hello["id"], &json!(true)));
    assert_eq!(hear(&mut ada).await["data"], 7);
    for node in [one, other] {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_sender_that_moves_between_nodes_has_each_message_handled_once() {
    let redis = Redis::start("moving").await;
    let nodes = [redis.node().await, redis.node().await];
    let claims = async || {
        let said = redis.command(&["--no-raw", "XRANGE", "pode:{shop}:nodes", "-", "+"]).await;
        said.matches("claim").count()
    };
    let (mut bob, _) = connect(&nodes[0], "/chat").await;
    assert!(hear(&mut bob).await["live"].is_number());
    // Who only listens has nothing that others may have.
    let mut offered = "pode.v1".to_owned();
    for node in [&nodes[0], &nodes[1], &nodes[0]] {
        let (_, hello) = connect_as(node, "/price", &offered).await;
        offered = ticket_in(&hello);
    }
    assert_eq!(claims().await, 0);

    let (mut ada, mut hello) = connect(&nodes[0], "/chat").await;
    for turn in 1..=10 {
        let heard = hello["heard"].as_u64().unwrap();
        for number in heard + 1..=10 * turn {
            ada.say(&json!({ "n": number, "data": number }).to_string()).await;
        }
        // It is cut off wherever it is.
        for _ in 0..turn {
            hear(&mut ada).await;
        }
        drop(ada);
        let node = &nodes[turn as usize % 2];
        (ada, hello) = connect_as(node, "/chat", &ticket_in(&hello)).await;
        assert_eq!(hello["known"], true, "{hello}");
    }
    for number in hello["heard"].as_u64().unwrap() + 1..=100 {
        ada.say(&json!({ "n": number, "data": number }).to_string()).await;
    }
    for number in 1..=100 {
        assert_eq!(hear(&mut bob).await["data"], number);
    }
    assert_eq!(claims().await, 10);
    for node in nodes {
        node.stop().await;
    }
}

/// One hands its sockets over to the other; both are nodes meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_hands_over_to_a_newer_process() {
    use handed_over::CHAT;

    let redis = Redis::start("handed-over").await;
    let node = || handed_over::shop(redis.url(), redis.folder.file("shop.sock"));
    let third = start(handed_over::shop(redis.url(), redis.folder.file("third.sock"))).await;
    let older = start(node()).await;
    let (mut ada, hello) = connect(&older, "/chat").await;
    assert!(hear(&mut ada).await["live"].is_number());
    older.signals().send(CHAT, &1).await.unwrap();
    let heard = hear(&mut ada).await;
    let mut tickets = Vec::new();
    for _ in 0..3 {
        let (mut sender, hello) = connect(&older, "/asked").await;
        sender.say(r#"{"n":1,"data":7}"#).await;
        while hear(&mut sender).await.get("ack").is_none() {}
        tickets.push(ticket_in(&hello));
    }
    let newer = start(node()).await;
    assert_eq!(newer.address(Protocol::Ws), older.address(Protocol::Ws));
    assert_eq!(ada.close_code().await, 1012);
    for (number, from) in [(2, &third), (3, &older), (4, &newer)] {
        from.signals().send(CHAT, &number).await.unwrap();
    }
    let (mut ada, back) =
        connect(&newer, &format!("/chat?resume={}", behind(&hello, &heard))).await;
    assert_eq!((&back["resumed"], &back["epoch"]), (&json!(true), &hello["epoch"]));
    for number in 2..5 {
        assert_eq!(hear(&mut ada).await["data"], number);
    }
    // The older process has their messages, and leaves them to others when it ends.
    let (_, back) = connect_as(&newer, "/asked", &tickets[0]).await;
    assert_eq!((&back["known"], &back["heard"]), (&json!(true), &json!(1)));
    older.stop().await;
    for (ticket, node) in tickets[1..].iter().zip([&newer, &third]) {
        let (_, back) = connect_as(node, "/asked", ticket).await;
        assert_eq!((&back["known"], &back["heard"]), (&json!(true), &json!(1)));
    }
    third.signals().send(CHAT, &5).await.unwrap();
    while hear(&mut ada).await["data"] != 5 {}
    for node in [newer, third] {
        node.stop().await;
    }
}

/// Each connection of both nodes is cut, again and again, amid messages.
#[tokio::test]
async fn cut_connections_lose_and_repeat_nothing() {
    let redis = Redis::start("cuts").await;
    let (one, other) = (redis.node().await, redis.node().await);
    let (mut ada, _) = connect(&one, "/chat").await;
    assert!(hear(&mut ada).await["live"].is_number());
    let sending = [&one, &other].map(|node| {
        let signals = node.signals().clone();
        let which = u64::from(std::ptr::eq(node, &other));
        tokio::spawn(async move {
            for number in 0..500 {
                signals.send(CHAT, &(2 * number + which)).await.unwrap();
            }
        })
    });
    let cutting = async {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            redis.command(&["CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "yes"]).await;
        }
    };
    let hearing = async {
        let mut next = [0, 1];
        while next != [1_000, 1_001] {
            let heard = hear(&mut ada).await;
            assert!(heard.get("gap").is_none(), "{heard}");
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

/// It may be behind the one that the client comes from: then it would tell of a gap that is
/// none, and send all again.
#[tokio::test]
async fn who_comes_from_a_node_that_is_ahead_is_told_to_try_again() {
    let mut redis = Redis::start("ahead").await;
    let node = redis.node().await;
    let (_, hello) = connect(&node, "/chat").await;
    let epoch = hello["epoch"].as_str().unwrap();
    let ahead = format!("/chat?resume={epoch}-{}", hello["at"].as_u64().unwrap() + 1_000);
    // Nobody is there, as this node then knows.
    let (_, hello) = connect(&node, &ahead).await;
    assert_eq!(hello["resumed"], false, "{hello}");
    redis.kill().await;
    let address = node.address(Protocol::Ws).unwrap();
    let offered = [("sec-websocket-protocol", "pode.v1")];
    let (mut client, _) = Client::handshake(address, &ahead, &offered).await.unwrap();
    assert_eq!(client.close_code().await, 4503);
    redis.come_back().await;
    node.stop().await;
}

#[tokio::test]
async fn a_node_that_is_cut_off_isnt_ready() {
    let mut redis = Redis::start("ready").await;
    let node = redis.node().await;
    let address = node.address(Protocol::Http).unwrap();
    let told = async |expected: &str| {
        let asking = async {
            while get_at(address, "/_pode/ready").await.text() != expected {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        within(asking, expected).await;
    };
    told("ready").await;
    redis.kill().await;
    told("the backplane can't be reached").await;
    redis.come_back().await;
    told("ready").await;
    node.stop().await;
}

#[tokio::test]
async fn one_of_two_nodes_fires() {
    let redis = Redis::start("one-node").await;
    let (fired, mut firing) = unbounded_channel();
    let one = start(clockwork(redis.url(), fired.clone(), 1)).await;
    let other = start(clockwork(redis.url(), fired, 2)).await;
    let mut fences = HashSet::new();
    let mut hear = async |count| {
        let mut last = None;
        for _ in 0..count {
            let (event, node) = within(firing.recv(), "a tick").await.unwrap();
            let fence = event.fence().unwrap();
            assert_eq!(fence % 20, 0);
            assert!(fences.insert(fence), "{fence} fires twice");
            last = Some(node);
        }
        last
    };
    hear(100).await;
    // Whichever it was, the other one goes on.
    one.stop().await;
    while hear(1).await != Some(2) {}
    hear(20).await;
    other.stop().await;
}

#[tokio::test]
async fn a_start_without_redis_says_what_is_wrong() {
    let folder = Folder::new("no-redis");
    let url = format!("unix://{}", folder.file("redis.sock"));
    let error = shop(url.clone(), Duration::ZERO).start().await.unwrap_err().to_string();
    let expected = format!("the backplane at {url} can't be used: No such file or directory");
    assert!(error.starts_with(&expected), "{error}");
}
