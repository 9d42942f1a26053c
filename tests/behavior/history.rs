//! History: clients that were away, are new or are slow get what they missed.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use futures_util::future::join_all;
use pode::prelude::*;
use pode::{Position, Protocol, RunningServer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Duration, interval};
use tokio_tungstenite::tungstenite::Message;

use crate::support::secure;
use crate::support::{Client, by_each_version, get, start, within};

pode_server! {
    server history;
    endpoint http  "127.0.0.1:0";
    endpoint ws    "127.0.0.1:0";
    endpoint wss   "127.0.0.1:0" { certificate: secure::certificate() };
    signal NEWS:  u32 = "/news" { history_messages: 10_000 };
    signal FEW:   u32 = "/few" { history_messages: 3, replay: Messages(2) };
    signal ROOM:  u32 = "/rooms/:room" (room: String) { history_messages: 10, replay: All };
    signal AGED:  u32 = "/aged" { history_messages: 10, history_age: 1s, replay: All };
    signal BRIEF: u32 = "/brief";
    signal DIRECT: u32 = "/direct" { history_messages: 10 };
    on connect DIRECT => async |event| {
        let id: ClientId = event.query().split('&').next().unwrap_or_default().parse()?;
        event.set_client_id(id);
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    };
    route GET "/position" => async |event| text(event.position(NEWS).map_or_else(String::new, |it| it.to_string()));
}

/// A client of raw bytes, which is cut off wherever the test wants.
struct Cut<S> {
    stream: S,
    /// The header that tells its position.
    position: Option<Position>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Cut<S> {
    async fn connect(mut stream: S, path: &str) -> Cut<S> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let position =
            head.split("\r\n").find_map(|line| line.strip_prefix("x-pode-signal-position: "));
        Cut { stream, position: position.map(|position| position.parse().unwrap()) }
    }

    /// Reads so many bytes, and returns the numbers in whole frames among them.
    async fn numbers(mut self, bytes: usize) -> Vec<u32> {
        let mut read = vec![0; bytes];
        within(self.stream.read_exact(&mut read), "numbers").await.unwrap();
        let (mut numbers, mut rest) = (Vec::new(), &read[..]);
        while let [0x81, length, payload @ ..] = rest
            && let Some((number, next)) = payload.split_at_checked(usize::from(*length))
        {
            numbers.push(std::str::from_utf8(number).unwrap().parse().unwrap());
            rest = next;
        }
        numbers
    }
}

/// Sends numbers from 0 on, five hundred in a second.
fn stream_of_numbers(server: &RunningServer) -> JoinHandle<()> {
    let signals = server.signals().clone();
    tokio::spawn(async move {
        let mut beats = interval(Duration::from_millis(2));
        for number in 0_u32.. {
            beats.tick().await;
            if signals.send(NEWS, &number).await.is_err() {
                return;
            }
        }
    })
}

/// Somewhere between 0 and `below`, in an order of its own.
fn somewhere(seed: &mut u32, below: u32) -> u32 {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*seed >> 8) % below
}

async fn is_cut_two_hundred_times<S: AsyncRead + AsyncWrite + Unpin>(connect: impl AsyncFn() -> S) {
    let mut seed = 7;
    let mut resume: Option<Position> = None;
    let mut next = None;
    for _ in 0..200 {
        let path = resume.map_or_else(|| "/news".to_owned(), |it| format!("/news?resume={it}"));
        let client = Cut::connect(connect().await, &path).await;
        let mut position = client.position.unwrap();
        assert!(resume.is_none_or(|resume| resume == position));
        for number in client.numbers(somewhere(&mut seed, 60) as usize).await {
            assert_eq!(number, *next.get_or_insert(number), "once, and in order");
            next = Some(number + 1);
            position.number += 1;
        }
        resume = Some(position);
    }
    assert!(next > Some(500), "{next:?}");
}

#[tokio::test]
async fn who_is_cut_off_again_and_again_misses_nothing() {
    let server = start(history()).await;
    let (plain, tls) =
        (server.address(Protocol::Ws).unwrap(), server.address(Protocol::Wss).unwrap());
    let sending = stream_of_numbers(&server);
    let plain = is_cut_two_hundred_times(async || TcpStream::connect(plain).await.unwrap());
    let tls = is_cut_two_hundred_times(async || {
        secure::connect(secure::trusting_root(), tls, "localhost").await.unwrap()
    });
    tokio::join!(plain, tls);
    sending.abort();
    server.stop().await;
}

#[tokio::test]
async fn what_is_sent_to_all_is_in_the_history_of_each_room() {
    let server = start(history()).await;
    let signals = server.signals();
    let [one, other] = ["one", "other"].map(str::to_owned);
    let before = signals.position(ROOM.at(&one)).unwrap();
    signals.send(ROOM.at(&one), &1).await.unwrap();
    signals.send_to_all(&2).await.unwrap();
    signals.send(ROOM.at(&other), &3).await.unwrap();
    signals.send_to_all(&4).await.unwrap();
    // By RFC 3986, section 6.2.2.2, an escaped hyphen is a hyphen.
    let escaped = before.to_string().replace('-', "%2D");
    for path in [
        "/rooms/one",
        &format!("/rooms/one?resume={before}"),
        &format!("/rooms/one?%72esume={escaped}"),
    ] {
        let mut client = Client::connect(&server, path).await;
        for number in ["1", "2", "4"] {
            assert_eq!(client.text().await, number, "{path}");
        }
    }
    server.stop().await;
}

/// No client can be there: it would hold up whoever has to pass it on.
#[tokio::test]
async fn what_no_client_can_get_is_left_out() {
    let server = start(history()).await;
    let signals = server.signals();
    let long = "x".repeat(2 << 20);
    let here = signals.position(NEWS);
    signals.send(NEWS, &1).to_group(&long).await.unwrap();
    signals.clients(NEWS).join_group(&"ada".parse().unwrap(), &long).await.unwrap();
    signals.send(ROOM.at(&long), &1).await.unwrap();
    assert_eq!(signals.position(NEWS), here);
    assert_eq!(signals.position(ROOM.at(&long)).unwrap().number, 0);
    server.stop().await;
}

#[tokio::test]
async fn a_storm_of_returning_clients_misses_nothing() {
    let server = start(history()).await;
    let signals = server.signals().clone();
    let position = signals.position(NEWS).unwrap();
    for number in 0..100 {
        signals.send(NEWS, &number).await.unwrap();
    }
    let sending = tokio::spawn(async move {
        for number in 100..1_000 {
            signals.send(NEWS, &number).await.unwrap();
        }
    });
    let returning = (0..300).map(async |_| {
        let mut client = Client::connect(&server, &format!("/news?resume={position}")).await;
        for number in 0..1_000 {
            assert_eq!(client.text().await, number.to_string());
        }
    });
    join_all(returning).await;
    sending.await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_page_and_its_socket_have_no_gap_between_them() {
    let server = start(history()).await;
    server.signals().send(NEWS, &1).await.unwrap();
    let position = get(&server, "/position").await.text().to_owned();
    for number in 2..4 {
        server.signals().send(NEWS, &number).await.unwrap();
    }
    let mut client = Client::connect(&server, &format!("/news?resume={position}")).await;
    server.signals().send(NEWS, &4).await.unwrap();
    for number in 2..5 {
        assert_eq!(client.text().await, number.to_string());
    }
    assert_eq!(server.signals().position(BRIEF), None, "it keeps none");
    server.stop().await;
}

pode_server! {
    server by_views;
    endpoint http "127.0.0.1:0";
    endpoint https "127.0.0.1:0" { certificate: secure::certificate() };
    endpoint ws "127.0.0.1:0";
    endpoint wss "127.0.0.1:0" { certificate: secure::certificate() };
    views "behavior/positions";
    signal CHAT:  u32 = "/chat" { history_messages: 10 };
    signal SPACE: u32 = "/rooms/:room" (room: String) { history_messages: 10 };
    route GET "/" => view "chat";
    route GET "/rooms/:room" => view "room";
    route GET "/map" => async |_| view("room").with(&BTreeMap::from([("room", "kitchen"), ("path", "/rooms/kitchen/")]));
    route GET "/struct" => async |_| Room { room: "a b" };
    route GET "/nowhere" => async |_| view("room").with(&BTreeMap::from([("room", "x"), ("path", "/none")]));
}

/// The page of another crate, for all it knows.
#[derive(Serialize, View)]
#[view("room", folder = "behavior/positions")]
struct Room {
    room: &'static str,
}

#[tokio::test]
async fn a_view_and_its_socket_have_no_gap_between_them() {
    for server in by_each_version(by_views).await {
        let signals = server.signals();
        for (page, room) in [
            ("/", None),
            ("/rooms/%C3%BC", Some("ü")),
            ("/map", Some("kitchen")),
            ("/struct", Some("a b")),
        ] {
            let send = async |number| match room {
                Some(room) => signals.send(SPACE.at(&room.to_owned()), &number).await.unwrap(),
                None => signals.send(CHAT, &number).await.unwrap(),
            };
            send(1).await;
            let answer = get(&server, page).await;
            let address = answer.text().split('"').nth(1).unwrap_or_default().to_owned();
            assert!(address.contains("?resume="), "{page}: {}", answer.text());
            send(2).await;
            let mut client = Client::connect(&server, &address).await;
            send(3).await;
            assert_eq!([client.text().await, client.text().await], ["2", "3"], "{page}");
        }
        // As docs/history.md writes it.
        let slashed = signals.position(SPACE.at(&"a/b".to_owned())).unwrap();
        let page = get(&server, "/rooms/a%2Fb").await;
        assert!(page.text().contains(&format!("?resume={slashed}")), "{}", page.text());
        let failed = get(&server, "/nowhere").await;
        assert_eq!(failed.status, 500);
        assert!(failed.text().contains("there is no signal at `&#x2f;none`"), "{}", failed.text());
    }
}

#[tokio::test]
async fn a_new_client_gets_what_is_replayed_at_its_path() {
    let server = start(history()).await;
    let signals = server.signals();
    for number in 1..6 {
        signals.send(FEW, &number).await.unwrap();
        signals.send(ROOM.at(&(number % 2).to_string()), &number).await.unwrap();
    }
    let mut few = Client::connect(&server, "/few").await;
    let mut odd = Client::connect(&server, "/rooms/1").await;
    let mut other = Client::connect(&server, "/rooms/other").await;
    signals.send(FEW, &6).await.unwrap();
    signals.send(ROOM.at(&"1".to_owned()), &6).await.unwrap();
    signals.send(ROOM.at(&"other".to_owned()), &7).await.unwrap();
    for number in ["4", "5", "6"] {
        assert_eq!(few.text().await, number);
    }
    for number in ["1", "3", "5", "6"] {
        assert_eq!(odd.text().await, number);
    }
    assert_eq!(other.text().await, "7");
    // Who resumes gets what it missed, and no more.
    let position = signals.position(FEW).unwrap();
    signals.send(FEW, &7).await.unwrap();
    let mut again = Client::connect(&server, &format!("/few?resume={position}")).await;
    assert_eq!(again.text().await, "7");
    server.stop().await;
}

#[tokio::test]
async fn a_position_that_was_never_given_is_told() {
    let server = start(history()).await;
    let Position { epoch, number } = server.signals().position(NEWS).unwrap();
    for made_up in [
        Position { epoch: epoch ^ 1, number },
        Position { epoch, number: number + 1 },
        Position { epoch, number: u64::MAX },
        Position { epoch: 0, number: 0 },
    ] {
        let mut client = Client::connect(&server, &format!("/news?resume={made_up}")).await;
        let Message::Close(Some(close)) = client.message().await else { panic!("{made_up}") };
        assert_eq!(u16::from(close.code), 4410, "{made_up}");
    }
    // Without a history, the parameter is the program's own.
    let own = Position { epoch, number: 9 };
    let mut brief = Client::connect(&server, &format!("/brief?resume={own}")).await;
    server.signals().send(BRIEF, &1).await.unwrap();
    assert_eq!(brief.text().await, "1");
    server.stop().await;
}

#[tokio::test]
async fn what_is_for_one_client_is_for_it_when_it_comes_back() {
    let server = start(history()).await;
    let signals = server.signals();
    let position = signals.position(DIRECT).unwrap();
    let ada: ClientId = "ada".parse().unwrap();
    signals.send(DIRECT, &1).to_client(&ada).await.unwrap();
    signals.send(DIRECT, &2).except(&ada).await.unwrap();
    signals.send(DIRECT, &3).await.unwrap();
    for (id, expected) in [("ada", [1, 3]), ("bob", [2, 3])] {
        let path = format!("/direct?{id}&resume={position}");
        let mut client = Client::connect(&server, &path).await;
        for number in expected {
            assert_eq!(client.text().await, number.to_string(), "{id}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_too_old_is_kept_no_longer() {
    let server = start(history()).await;
    let signals = server.signals();
    let position = signals.position(AGED).unwrap();
    signals.send(AGED, &1).await.unwrap();
    let forgotten = async |address: SocketAddr| loop {
        let path = format!("/aged?resume={position}");
        let mut client = Client::connect_at(address, &path).await.unwrap();
        match client.message().await {
            Message::Text(text) => assert_eq!(text.as_str(), "1"),
            Message::Close(Some(close)) => return u16::from(close.code),
            other => panic!("{other:?}"),
        }
    };
    let address = server.address(Protocol::Ws).unwrap();
    assert_eq!(within(forgotten(address), "the message to be too old").await, 4410);
    let mut client = Client::connect_at(address, "/aged").await.unwrap();
    signals.send(AGED, &2).await.unwrap();
    assert_eq!(client.text().await, "2", "nothing is replayed");
    server.stop().await;
}
