//! Connecting by Sentinels and reading, where each test says what they answer.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::connect::Address;
use super::{READ_BYTES, Redis, StreamOptions};
use crate::backplane::carrier::{Carrier, EntryId, Read, Reader};
use crate::backplane::options::BackplaneOptions;
use crate::net::roots::Roots;

/// Answers like a Redis or a Sentinel, and notes what it is asked.
struct Fake {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// Gives these answers to commands, and `OK` to others.
    async fn start(answer: impl Fn(&str) -> Option<Vec<u8>> + Clone + Send + 'static) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::<Mutex<Vec<_>>>::default();
        let heard = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let stream = BufReader::new(listener.accept().await.unwrap().0);
                tokio::spawn(serve(stream, answer.clone(), Arc::clone(&heard)));
            }
        });
        Fake { port, asked }
    }

    async fn redis(role: &str) -> Fake {
        let info = bulk(format!("role:{role}").as_bytes());
        Fake::start(move |command| (command == "INFO").then(|| info.clone())).await
    }

    /// One that says that the primary is at this port, if at any.
    async fn sentinel(port: Option<u16>) -> Fake {
        let named = match port {
            Some(port) => array(&[bulk(b"127.0.0.1"), bulk(port.to_string().as_bytes())]),
            None => b"*-1\r\n".to_vec(),
        };
        Fake::start(move |command| match command {
            "INFO" => Some(bulk(b"redis_mode:sentinel")),
            "SENTINEL GET-MASTER-ADDR-BY-NAME mymaster" => Some(named.clone()),
            _ => None,
        })
        .await
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn bulk(text: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat()
}

fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [format!("*{}\r\n", items.len()).into_bytes(), items.concat()].concat()
}

async fn serve(
    mut stream: BufReader<TcpStream>,
    answer: impl Fn(&str) -> Option<Vec<u8>>,
    asked: Arc<Mutex<Vec<String>>>,
) {
    while let Some(command) = command(&mut stream).await {
        let answer = answer(&command).unwrap_or_else(|| b"+OK\r\n".to_vec());
        if !command.starts_with("CLIENT") {
            asked.lock().unwrap().push(command);
        }
        stream.write_all(&answer).await.unwrap();
    }
}

/// Reads the next command, if there is one.
async fn command(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let parts = number(stream).await?;
    let mut command = Vec::new();
    for _ in 0..parts {
        let mut part = vec![0; number(stream).await? + 2];
        stream.read_exact(&mut part).await.ok()?;
        command.push(String::from_utf8(part).ok()?.trim().to_owned());
    }
    Some(command.join(" "))
}

/// Reads a line of a sign and a number.
async fn number(stream: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.get(1..)?.trim().parse().ok()
}

/// Returns a port at which nobody listens.
async fn nobody() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

fn address(sentinels: &[u16]) -> Address {
    let sentinels: Vec<_> = sentinels.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let (sentinels, query) = (sentinels.join(","), "sentinel_password=blue");
    let url = format!("redis+sentinel://shop:red@{sentinels}/mymaster/2?{query}");
    Address::new(url.parse().unwrap(), &Roots::default(), None).ok().unwrap()
}

async fn refused(address: &Address) -> String {
    address.connect().await.err().unwrap().reason
}

#[tokio::test]
async fn sentinels_are_asked_in_turn_until_one_names_a_primary() {
    let (old, new) = (Fake::redis("slave").await, Fake::redis("master").await);
    let (late, strange) = (Fake::sentinel(Some(old.port)).await, Fake::sentinel(None).await);
    let (also_late, right) =
        (Fake::sentinel(Some(old.port)).await, Fake::sentinel(Some(new.port)).await);
    let ports = [nobody().await, late.port, strange.port, also_late.port, right.port];
    let address = address(&ports);
    assert!(address.connect().await.is_ok());
    let ask = ["AUTH blue", "SENTINEL GET-MASTER-ADDR-BY-NAME mymaster"];
    for sentinel in [&late, &strange, &also_late, &right] {
        assert_eq!(sentinel.asked(), ask);
    }
    // What two name isn't tried twice.
    for redis in [&old, &new] {
        assert_eq!(redis.asked(), ["AUTH shop red", "SELECT 2", "INFO"]);
    }
    // Next time, the one that was right is asked first.
    assert!(address.connect().await.is_ok());
    assert_eq!(right.asked(), ask);
    assert!(late.asked().is_empty());
}

#[tokio::test]
async fn why_no_sentinel_names_a_primary_is_told_of_each() {
    let replica = Fake::redis("slave").await;
    let (late, strange) = (Fake::sentinel(Some(replica.port)).await, Fake::sentinel(None).await);
    let gone = nobody().await;
    let reason = refused(&address(&[gone, strange.port, late.port])).await;
    let nobody = TcpStream::connect(("127.0.0.1", gone)).await.unwrap_err();
    let expected = format!(
        "the Sentinel at 127.0.0.1:{gone}: {nobody}; the Sentinel at \
         127.0.0.1:{}: it knows no primary `mymaster`; the Redis at 127.0.0.1:{}: it is a replica, \
         and the primary is needed",
        strange.port, replica.port
    );
    assert_eq!(reason, expected);
}

#[tokio::test]
async fn a_sentinel_that_is_named_like_a_redis_is_told_with_its_url() {
    let sentinel = Fake::sentinel(None).await;
    let url = format!("redis://127.0.0.1:{}", sentinel.port);
    let address = Address::new(url.parse().unwrap(), &Roots::default(), None).ok().unwrap();
    let error = address.connect().await.err().unwrap();
    let expected = "it is a Sentinel, whose URL is like \
                    `redis+sentinel://one.example:26379,two.example:26379/mymaster`";
    assert_eq!((&*error.reason, error.is_final), (expected, true));
}

#[tokio::test]
async fn a_redis_that_is_named_like_a_sentinel_is_told() {
    let redis = Fake::start(|command| {
        let error = "-ERR unknown command 'SENTINEL', with args beginning with: 'GET-MASTER'\r\n";
        command.starts_with("SENTINEL").then(|| error.as_bytes().to_vec())
    });
    let port = redis.await.port;
    let expected = format!("the Sentinel at 127.0.0.1:{port}: it is no Sentinel");
    assert_eq!(refused(&address(&[port])).await, expected);
}

#[tokio::test]
async fn what_speaks_another_protocol_is_told_in_a_sentence() {
    let other = Fake::start(|_| Some(b"HTTP/1.1 400 Bad Request\r\n\r\n<html>".to_vec())).await;
    let url = format!("redis://127.0.0.1:{}", other.port);
    let address = Address::new(url.parse().unwrap(), &Roots::default(), None).ok().unwrap();
    let error = address.connect().await.err().unwrap();
    assert_eq!(error.reason, "it doesn't answer as a Redis does");
}

/// Else one that is out of reach, as behind a firewall, would hold up all others.
#[tokio::test]
async fn a_sentinel_that_says_nothing_is_passed_over() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let redis = Fake::redis("master").await;
    let right = Fake::sentinel(Some(redis.port)).await;
    let ports = [silent.local_addr().unwrap().port(), right.port];
    assert!(address(&ports).connect().await.is_ok());
}

/// Reads two streams with so many entries of this length each; returns the bytes of each
/// read.
async fn reads(entries: u64, length: usize) -> Vec<usize> {
    let body = vec![b'a'; length];
    let redis = Fake::start(move |command| {
        let Some(arguments) = command.strip_prefix("XREAD COUNT ") else {
            return (command == "INFO").then(|| bulk(b"role:master"));
        };
        let arguments: Vec<_> = arguments.split(' ').collect();
        let [count, .., first, second, after, also_after] = arguments[..] else { panic!() };
        let streams = [(first, after), (second, also_after)].map(|(key, after)| {
            let after: u64 = after.split_once('-').unwrap().1.parse().unwrap();
            let until = entries.min(after + count.parse::<u64>().unwrap());
            let read = (after + 1..=until).map(|index| {
                let id = bulk(format!("5-{index}").as_bytes());
                array(&[id, array(&[bulk(b"m"), bulk(&body)])])
            });
            array(&[bulk(key.as_bytes()), array(&read.collect::<Vec<_>>())])
        });
        Some(array(&streams))
    })
    .await;
    let (url, options) = (format!("redis://127.0.0.1:{}", redis.port), BackplaneOptions::default());
    let streams = [StreamOptions { name: "/a".to_owned(), last_messages: None }];
    let redis = Redis::new(url.parse().unwrap(), "shop", streams, &options, None).ok().unwrap();
    let mut reader = redis.reader().await.unwrap();
    let (mut after, mut reads) = ([EntryId { term: 5, index: 0 }; 2], Vec::new());
    while after.iter().any(|id| id.index < entries) {
        let read = reader.read(&after).await.unwrap();
        reads.push(read.entries.iter().map(|entry| entry.body.len()).sum());
        for Read { stream, id, .. } in read.entries {
            assert_eq!(id.index, after[stream].index + 1);
            after[stream] = id;
        }
    }
    reads
}

/// Else one read would take 256 MB here, and a slow network no end: who doesn't get an
/// answer within three seconds asks again for the same.
#[tokio::test]
async fn one_read_takes_few_of_the_longest_messages_and_many_short_ones() {
    let long = reads(20, 1 << 20).await;
    assert!(long.iter().all(|bytes| *bytes <= READ_BYTES), "{long:?}");
    let short = reads(1_000, 100).await;
    assert!(short.len() <= 16, "{short:?}");
}
