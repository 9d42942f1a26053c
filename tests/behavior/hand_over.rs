//! Hand-over: a newer process of a server replaces an older one, and clients
//! notice as little of it as possible.

mod kept_alive;
mod many;
mod numbers;
mod program;
mod returning;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use self::program::{Folder, Shop, post, speak};
use self::returning::Returning;
use crate::support::{Client, get_at, request_at, within};

/// Long enough for everything a test does meanwhile.
const LONG: Duration = Duration::from_secs(3600);

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_newer_process_takes_the_place_of_the_older_one() {
    let folder = Folder::new("place");
    let older = Shop::start(&folder, SHORT).await;
    assert_eq!(get_at(older.address, "/").await.text(), older.id());
    let mut client = Client::connect_at(older.address, "/news").await.unwrap();
    assert_eq!(post(older.address, 1).await, 204);
    assert_eq!(client.text().await, "1");

    let newer = Shop::start(&folder, SHORT).await;
    assert_eq!(newer.address, older.address, "though its port is 0");
    assert_eq!(get_at(newer.address, "/").await.text(), newer.id());
    let Message::Close(Some(close)) = client.message().await else { panic!("no goodbye") };
    assert_eq!(u16::from(close.code), 1012);
    assert!(close.reason.starts_with("restarting; resume="), "{}", close.reason);
    drop(client);
    let (code, said) = older.end().await;
    assert_eq!(code, Some(0), "{said}");
    assert!(folder.socket().exists());

    newer.process.signal("-TERM");
    let (code, said) = newer.end().await;
    assert_eq!(code, Some(0), "{said}");
    assert!(!folder.socket().exists(), "the last one takes it away");
}

#[tokio::test]
async fn both_processes_share_one_order_while_one_drains() {
    let folder = Folder::new("order");
    let older = Shop::start(&folder, LONG).await;
    let mut old = Client::connect_at(older.address, "/talk").await.unwrap();
    let mut old_room = Client::connect_at(older.address, "/rooms/7").await.unwrap();
    let newer = Shop::start(&folder, SHORT).await;
    let mut new = Client::connect_at(newer.address, "/talk").await.unwrap();
    let mut new_room = Client::connect_at(newer.address, "/rooms/7").await.unwrap();
    let mut other_room = Client::connect_at(newer.address, "/rooms/8").await.unwrap();

    // In the order of the senders, whichever process receives the messages.
    for number in 0..50 {
        let text = format!("\"{number}\"");
        let speaker = if number % 2 == 0 { &mut old } else { &mut new };
        speaker.say(&text).await;
        assert_eq!(old.text().await, text);
        assert_eq!(new.text().await, text);
    }
    // And in one order when they send at once.
    for number in 0..100 {
        old.say(&format!("\"old {number}\"")).await;
        new.say(&format!("\"new {number}\"")).await;
    }
    for _ in 0..200 {
        assert_eq!(old.text().await, new.text().await);
    }

    old_room.say("\"from the older\"").await;
    new_room.say("\"from the newer\"").await;
    let heard = [old_room.text().await, old_room.text().await];
    assert_eq!([new_room.text().await, new_room.text().await], heard);
    other_room.say("\"elsewhere\"").await;
    assert_eq!(other_room.text().await, "\"elsewhere\"");

    // A process that is asked to end tells its remaining clients at once to
    // reconnect.
    older.process.signal("-TERM");
    for client in [&mut old, &mut old_room] {
        let Message::Close(Some(close)) = client.message().await else { panic!("no goodbye") };
        assert_eq!(u16::from(close.code), 1012);
        assert!(close.reason.contains("resume="), "{}", close.reason);
    }
    drop((old, old_room));
    assert_eq!(older.end().await.0, Some(0));
}

/// As if a container had got more or fewer cores meanwhile.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_family_is_shared_whatever_cores_the_processes_have() {
    let folder = Folder::new("cores");
    for older_has_one in [true, false] {
        let older = Shop::start_on(older_has_one, &folder, LONG).await;
        let mut clients = Vec::new();
        for room in 0..8 {
            let path = format!("/rooms/{room}");
            clients.push((Client::connect_at(older.address, &path).await.unwrap(), path));
        }
        let newer = Shop::start_on(!older_has_one, &folder, SHORT).await;
        for (old, path) in &mut clients {
            let mut new = Client::connect_at(newer.address, path).await.unwrap();
            new.say(&format!("\"{path}\"")).await;
            assert_eq!(old.text().await, format!("\"{path}\""));
        }
    }
}

/// A close comes after earlier messages, although those have a longer way.
#[tokio::test]
async fn closing_concerns_the_clients_of_both() {
    let folder = Folder::new("close");
    let older = Shop::start(&folder, LONG).await;
    for is_old_who_speaks in [true, false] {
        let mut old = Client::connect_at(older.address, "/talk").await.unwrap();
        let newer = Shop::start(&folder, SHORT).await;
        let mut new = Client::connect_at(newer.address, "/talk").await.unwrap();
        let speaker = if is_old_who_speaks { &mut old } else { &mut new };
        speaker.say("\"go\"").await;
        for client in [&mut old, &mut new] {
            assert_eq!(client.text().await, "\"go\"");
            assert_eq!(client.close_code().await, 4001);
        }
        // The older one is alone again.
        let mut newer = newer;
        newer.process.kill().await;
        older.process.says("goes on alone").await;
    }
}

#[tokio::test]
async fn whoever_comes_back_gets_what_it_missed_and_nothing_twice() {
    let folder = Folder::new("missed");
    let older = Shop::start(&folder, SHORT).await;
    let mut client = Returning::connect(older.address, "/news").await;
    let mut member = Returning::connect(older.address, "/groups?crew").await;
    assert_eq!(member.text().await, "\"welcome\"");
    assert_eq!(post(older.address, 1).await, 204);
    assert_eq!(client.text().await, "1");
    let newer = Shop::start(&folder, SHORT).await;
    client.goodbye().await;
    member.goodbye().await;
    for number in 2..=4 {
        assert_eq!(post(newer.address, number).await, 204);
    }
    let mut watcher = Client::connect_at(newer.address, "/groups?crew").await.unwrap();
    assert_eq!(watcher.text().await, "\"welcome\"");
    for text in ["everybody", "crew", "others", "crew"] {
        watcher.say(&format!("\"{text}\"")).await;
        if text != "others" {
            watcher.text().await;
        }
    }
    client.come_back().await.unwrap();
    member.come_back().await.unwrap();
    assert_eq!(post(newer.address, 5).await, 204);
    for number in 2..=5 {
        assert_eq!(client.text().await, number.to_string());
    }
    for text in ["\"welcome\"", "\"everybody\"", "\"crew\"", "\"crew\""] {
        assert_eq!(member.text().await, text);
    }
    assert_eq!(older.end().await.0, Some(0));
}

/// Who may have a key that is gone is told, by whichever process.
#[tokio::test]
async fn keys_are_those_of_both_processes() {
    async fn connect(address: SocketAddr, path: &str) -> Client {
        let headers = [("sec-websocket-protocol", "pode.v1")];
        Client::handshake(address, path, &headers).await.unwrap().0
    }
    async fn hear(client: &mut Client) -> Value {
        serde_json::from_str(&client.text().await).unwrap()
    }
    let folder = Folder::new("keys");
    let older = Shop::start(&folder, LONG).await;
    let mut teller = connect(older.address, "/stock").await;
    let hello = hear(&mut teller).await;
    hear(&mut teller).await;
    for (name, left) in [("tea", 3), ("salt", 4), ("tea", 2), ("salt", 0)] {
        teller.say(&json!({ "data": { "name": name, "left": left } }).to_string()).await;
        assert_eq!(hear(&mut teller).await["key"], name);
    }
    let newer = Shop::start(&folder, LONG).await;
    teller.say(r#"{"data":{"name":"rice","left":5}}"#).await;
    assert_eq!(hear(&mut teller).await["at"], 5);
    let resumed = format!("/stock?resume={}-2", hello["epoch"].as_str().unwrap());
    for (path, removals) in [("/stock", 0), (&*resumed, 1)] {
        let mut client = connect(newer.address, path).await;
        hear(&mut client).await;
        let tea = json!({ "at": 3, "key": "tea", "data": { "name": "tea", "left": 2 } });
        assert_eq!(hear(&mut client).await, tea);
        if removals > 0 {
            assert_eq!(hear(&mut client).await, json!({ "at": 4, "key": "salt" }));
        }
        let rice = json!({ "at": 5, "key": "rice", "data": { "name": "rice", "left": 5 } });
        assert_eq!(hear(&mut client).await, rice);
        assert_eq!(hear(&mut client).await, json!({ "live": 5 }));
    }
    let mut client = connect(newer.address, "/stock").await;
    client.say(r#"{"data":{"name":"tea","left":0}}"#).await;
    assert_eq!(hear(&mut teller).await, json!({ "at": 6, "key": "tea" }));
    drop(older);
}

/// Clients of both processes get it, behind what was sent before.
#[tokio::test]
async fn what_is_sent_before_the_start_is_not_lost() {
    let folder = Folder::new("stocked");
    let older = Shop::start_with(&folder, "tea").await;
    let mut client = Client::connect_at(older.address, "/stock").await.unwrap();
    assert_eq!(client.text().await, r#"{"name":"tea","left":1}"#);
    let newer = Shop::start_with(&folder, "salt").await;
    assert_eq!(client.text().await, r#"{"name":"salt","left":1}"#);
    let mut client = Client::connect_at(newer.address, "/stock").await.unwrap();
    for name in ["tea", "salt"] {
        assert_eq!(client.text().await, format!(r#"{{"name":"{name}","left":1}}"#));
    }
}

#[tokio::test]
async fn a_position_that_is_not_kept_is_told() {
    let folder = Folder::new("unknown");
    let shop = Shop::start(&folder, SHORT).await;
    let mut forgotten = Vec::new();
    for query in ["a=b&resume=0123456789abcdef-3", "resume=job&resume=0123456789abcdef-3"] {
        forgotten.push((shop.address, format!("/news?{query}")));
    }
    // What has another form is a parameter of the program's own.
    for own in ["", "job", "7", "0123456789abcdef", "0123456789ABCDEF-3", "123-3"] {
        let path = format!("/news?resume={own}");
        let mut client = Client::connect_at(shop.address, &path).await.expect(own);
        assert_eq!(post(shop.address, 1).await, 204);
        assert_eq!(client.text().await, "1");
    }
    let older = shop;
    let mut client = Returning::connect(older.address, "/news").await;
    let newer = Shop::start(&folder, SHORT).await;
    let position = client.goodbye().await;
    // One of another signal, and one in the future.
    let (epoch, number) = position.split_once('-').unwrap();
    forgotten.push((newer.address, format!("/talk?resume={position}")));
    let later = number.parse::<u64>().unwrap() + 1;
    forgotten.push((newer.address, format!("/news?resume={epoch}-{later}")));
    let flooded = request_at(newer.address, "POST", "/flood", &[], b"").await;
    assert_eq!(flooded.status, 204);
    forgotten.push((newer.address, format!("/news?resume={position}")));
    for (address, path) in forgotten {
        let mut client = Client::connect_at(newer.address, &path).await.unwrap();
        let Message::Close(Some(close)) = client.message().await else { panic!("{path}") };
        let reason = "the missed messages are no longer kept: connect without `resume`";
        assert_eq!((u16::from(close.code), &*close.reason), (4410, reason), "{address} {path}");
    }
    assert_eq!(older.end().await.0, Some(0));
}

#[tokio::test]
async fn no_tick_comes_from_two_processes() {
    let folder = Folder::new("ticks");
    let older = Shop::start(&folder, SHORT).await;
    folder.tick_of(&older).await;
    let newer = Shop::start(&folder, SHORT).await;
    folder.tick_of(&newer).await;
    assert_eq!(older.id(), folder.ticks()[0]);
    assert_eq!(older.end().await.0, Some(0));
    let mut ticks = folder.ticks();
    ticks.dedup();
    assert_eq!(ticks, [older_process(&ticks), newer.id()]);
}

fn older_process(ticks: &[String]) -> String {
    ticks[0].clone()
}

/// It continues as if nothing had happened: with its clients, its ticks and its
/// port.
#[tokio::test]
async fn a_newer_process_that_dies_before_it_took_over_changes_nothing() {
    let folder = Folder::new("early-death");
    let shop = Shop::start(&folder, SHORT).await;
    let mut client = Client::connect_at(shop.address, "/talk").await.unwrap();
    // When it has the sockets; and when it is ready, and everything is
    // released.
    let ready = r#"{"ready":{"process":1,"signals":[]}}"#;
    for (words, reason) in [(&[][..], "it didn't get ready"), (&[ready], "the hand-over failed")] {
        let stream = speak(&folder.socket(), words, "go").await;
        drop(stream);
        shop.process.says(&format!("a newer process could not take over: {reason}")).await;
        client.say("\"still here\"").await;
        assert_eq!(client.text().await, "\"still here\"");
        assert_eq!(get_at(shop.address, "/").await.text(), shop.id());
        folder.next_tick_of(&shop).await;
    }
    let newer = Shop::start(&folder, SHORT).await;
    assert_eq!(get_at(newer.address, "/").await.text(), newer.id());
    assert_eq!(shop.end().await.0, Some(0));
}

/// The newer process has the same socket, so its file stays.
#[tokio::test]
async fn who_is_asked_to_end_amid_a_hand_over_leaves_the_socket_to_the_newer_one() {
    let folder = Folder::new("midway");
    let ready = r#"{"ready":{"process":1,"signals":[]}}"#;
    for words in [&[][..], &[ready]] {
        let older = Shop::start(&folder, SHORT).await;
        let newer = speak(&folder.socket(), words, "go").await;
        older.process.signal("-TERM");
        assert_eq!(older.end().await.0, Some(0));
        assert!(folder.socket().exists());
        drop(newer);
    }
}

/// A newer process hangs after it has taken over, and wakes up when it no longer
/// leads.
#[tokio::test]
async fn the_older_process_takes_everything_back_if_the_newer_one_hangs() {
    let folder = Folder::new("hangs");
    let older = Shop::start(&folder, LONG).await;
    let mut client = Client::connect_at(older.address, "/talk").await.unwrap();
    let hanging = Shop::start(&folder, SHORT).await;
    folder.tick_of(&hanging).await;
    hanging.process.signal("-STOP");
    older.process.says("this one goes on alone").await;
    assert_eq!(get_at(older.address, "/").await.text(), older.id());
    client.say("\"still here\"").await;
    assert_eq!(client.text().await, "\"still here\"");
    folder.next_tick_of(&older).await;

    hanging.process.signal("-CONT");
    let (code, said) = hanging.end().await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the older process took everything back"), "{said}");
    assert_eq!(get_at(older.address, "/").await.text(), older.id());

    let third = Shop::start(&folder, SHORT).await;
    assert_eq!(get_at(third.address, "/").await.text(), third.id());
    older.process.signal("-TERM");
    drop(client);
    assert_eq!(older.end().await.0, Some(0));
}

/// Messages underway aren't lost, and the older process accepts clients again.
#[tokio::test]
async fn the_older_process_goes_on_alone_if_the_newer_one_dies_while_it_drains() {
    let folder = Folder::new("late-death");
    let older = Shop::start(&folder, LONG).await;
    let mut client = Client::connect_at(older.address, "/talk").await.unwrap();
    let mut newer = Shop::start(&folder, SHORT).await;
    let mut new = Client::connect_at(newer.address, "/talk").await.unwrap();
    for number in 0..20 {
        client.say(&format!("\"{number}\"")).await;
    }
    assert_eq!(new.text().await, "\"0\"");
    newer.process.kill().await;
    for number in 20..40 {
        client.say(&format!("\"{number}\"")).await;
    }
    for number in 0..40 {
        assert_eq!(client.text().await, format!("\"{number}\""));
    }
    older.process.says("this one goes on alone").await;
    assert_eq!(get_at(older.address, "/").await.text(), older.id());
    let mut another = Client::connect_at(older.address, "/talk").await.unwrap();
    another.say("\"both\"").await;
    assert_eq!(another.text().await, "\"both\"");
    assert_eq!(client.text().await, "\"both\"");
    folder.next_tick_of(&older).await;

    // And hands over to the next.
    let third = Shop::start(&folder, SHORT).await;
    assert_eq!(get_at(third.address, "/").await.text(), third.id());
    older.process.signal("-TERM");
    drop((client, another));
    assert_eq!(older.end().await.0, Some(0));
}

#[tokio::test]
async fn a_socket_that_was_left_behind_is_no_hindrance() {
    let folder = Folder::new("stale");
    let mut killed = Shop::start(&folder, SHORT).await;
    killed.process.kill().await;
    assert!(folder.socket().exists());
    let shop = Shop::start(&folder, SHORT).await;
    let newer = Shop::start(&folder, SHORT).await;
    assert_eq!(get_at(shop.address, "/").await.text(), newer.id());
    assert_eq!(shop.end().await.0, Some(0));
}

#[tokio::test]
async fn whoever_speaks_something_else_is_told_apart() {
    let folder = Folder::new("stranger");
    for (line, reason) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "leads to a process that is not a pode server"),
        (
            b"pode hand-over 9\n",
            "leads to a process that speaks another version of the hand-over, \"9\"",
        ),
    ] {
        let _ = std::fs::remove_file(folder.socket());
        let listener = tokio::net::UnixListener::bind(folder.socket()).unwrap();
        let answering = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, line).await.unwrap();
            // The receiver of this line disconnects.
            let mut heard = Vec::new();
            let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut heard).await;
        };
        let starting = Shop::fail(&folder);
        let ((), said) = within(async { tokio::join!(answering, starting) }, "the end").await;
        let path = folder.socket();
        let sentence = format!("the hand-over socket `{}` {reason}", path.display());
        assert!(said.contains(&sentence), "{said}");
    }

    std::fs::remove_file(folder.socket()).unwrap();
    std::fs::write(folder.socket(), "the user's own").unwrap();
    let said = Shop::fail(&folder).await;
    assert!(said.contains("what is there is no socket"), "{said}");
    assert_eq!(std::fs::read(folder.socket()).unwrap(), b"the user's own");
}

/// They have a moment for their first words, all at the same time.
#[tokio::test]
async fn whoever_says_nothing_holds_up_no_hand_over() {
    let folder = Folder::new("silent");
    let shop = Shop::start(&folder, SHORT).await;
    let mut strangers = Vec::new();
    for _ in 0..12 {
        strangers.push(tokio::net::UnixStream::connect(folder.socket()).await.unwrap());
    }
    let newer = Shop::start(&folder, SHORT).await;
    assert_eq!(get_at(newer.address, "/").await.text(), newer.id());
    assert_eq!(shop.end().await.0, Some(0));
}

/// The reverse case: a peer that isn't a newer process.
#[tokio::test]
async fn whoever_asks_in_another_language_is_sent_away() {
    let folder = Folder::new("strange-question");
    let shop = Shop::start(&folder, SHORT).await;
    let mut stream = tokio::net::UnixStream::connect(folder.socket()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    shop.process.says("it is not a pode server").await;
    let newer = Shop::start(&folder, SHORT).await;
    assert_eq!(get_at(newer.address, "/").await.text(), newer.id());
    assert_eq!(shop.end().await.0, Some(0));
}

/// A client of `pode.v1` that is told who is there.
struct Told {
    client: Client,
    ticket: String,
    here: Value,
}

impl Told {
    /// Connects, and waits until it is told who is there.
    async fn connect(address: SocketAddr, path: &str, ticket: Option<&str>) -> Told {
        let ticket = ticket.map(|ticket| format!(", pode.ticket.{ticket}")).unwrap_or_default();
        let offered = format!("pode.v1{ticket}");
        let headers = [("sec-websocket-protocol", &*offered)];
        let (mut client, _) = Client::handshake(address, path, &headers).await.unwrap();
        let (mut ticket, mut here) = (String::new(), Value::Null);
        loop {
            let told: Value = serde_json::from_str(&client.text().await).unwrap();
            if let Some(given) = told["ticket"].as_str() {
                ticket = given.to_owned();
            }
            if told.get("here").is_some() {
                here = told["here"].clone();
            }
            if told.get("live").is_some() {
                return Told { client, ticket, here };
            }
        }
    }

    /// Returns the names of all that are there, sorted.
    fn names(&self) -> Vec<&str> {
        let here = self.here.as_object().unwrap();
        let mut names: Vec<_> = here.values().filter_map(Value::as_str).collect();
        names.sort_unstable();
        names
    }

    /// Waits for the next news of who is there, or the next message.
    async fn news(&mut self) -> Value {
        loop {
            let mut told: Value = serde_json::from_str(&self.client.text().await).unwrap();
            let told = told.as_object_mut().unwrap();
            told.remove("at");
            told.remove("join");
            if ["info", "leave", "data"].iter().any(|member| told.contains_key(*member)) {
                return Value::from(told.clone());
            }
        }
    }
}

#[tokio::test]
async fn nobody_leaves_by_a_hand_over() {
    let folder = Folder::new("here");
    let older = Shop::start(&folder, LONG).await;
    let mut ada = Told::connect(older.address, "/here?ada", None).await;
    let carl = Told::connect(older.address, "/here?carl", None).await;
    assert_eq!(ada.names(), ["ada"]);
    assert_eq!(ada.news().await, json!({ "info": "carl" }));
    let newer = Shop::start(&folder, SHORT).await;
    let mut bob = Told::connect(newer.address, "/here?bob", None).await;
    assert_eq!(bob.names(), ["ada", "bob", "carl"], "in both processes");
    assert_eq!(ada.news().await, json!({ "info": "bob" }));

    older.process.signal("-TERM");
    let Message::Close(Some(close)) = ada.client.message().await else { panic!("no goodbye") };
    assert_eq!(u16::from(close.code), 1012);
    let (_, position) = close.reason.split_once("resume=").unwrap();
    let path = format!("/here?ada&resume={position}");
    let mut back = Told::connect(newer.address, &path, Some(&ada.ticket)).await;
    assert_eq!(back.names(), ["ada", "bob", "carl"]);
    drop((ada, carl));
    assert_eq!(older.end().await.0, Some(0));
    // Who hasn't come yet may still do so; and nobody was told anything.
    back.client.say(r#"{"data":7}"#).await;
    for client in [&mut bob, &mut back] {
        assert_eq!(client.news().await, json!({ "data": 7 }));
    }
    drop((bob, back));
}
