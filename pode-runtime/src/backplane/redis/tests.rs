//! Connecting by Sentinels, which say what each test wants.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::connect::Address;
use crate::net::roots::Roots;

/// Answers like a Redis or a Sentinel, and notes what it is asked.
struct Fake {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// Gives these answers to `INFO` and to what Sentinels are asked.
    async fn start(info: &str, named: &str) -> Fake {
        let info = format!("${}\r\n{info}\r\n", info.len());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, named) = (Arc::<Mutex<Vec<_>>>::default(), named.to_owned());
        let heard = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let stream = listener.accept().await.unwrap().0;
                tokio::spawn(answer(stream, info.clone(), named.clone(), Arc::clone(&heard)));
            }
        });
        Fake { port, asked }
    }

    async fn redis(role: &str) -> Fake {
        Fake::start(&format!("role:{role}"), "-ERR unknown command\r\n").await
    }

    async fn sentinel(primary: &Fake) -> Fake {
        let port = primary.port.to_string();
        let named = format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{port}\r\n", port.len());
        Fake::start("redis_mode:sentinel", &named).await
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

async fn answer(stream: TcpStream, info: String, named: String, asked: Arc<Mutex<Vec<String>>>) {
    let mut stream = BufReader::new(stream);
    while let Some(command) = command(&mut stream).await {
        let answer = match command.split(' ').next() {
            Some("INFO") => &info,
            Some("SENTINEL") => &named,
            _ => "+OK\r\n",
        };
        if !command.starts_with("CLIENT") {
            asked.lock().unwrap().push(command);
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
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
    let (late, strange) = (Fake::sentinel(&old).await, Fake::start("", "*-1\r\n").await);
    let (also_late, right) = (Fake::sentinel(&old).await, Fake::sentinel(&new).await);
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
    let (late, strange) = (Fake::sentinel(&replica).await, Fake::start("", "*-1\r\n").await);
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
    let sentinel = Fake::sentinel(&Fake::redis("master").await).await;
    let url = format!("redis://127.0.0.1:{}", sentinel.port);
    let address = Address::new(url.parse().unwrap(), &Roots::default(), None).ok().unwrap();
    let error = address.connect().await.err().unwrap();
    let expected = "it is a Sentinel, whose URL is like \
                    `redis+sentinel://one.example:26379,two.example:26379/mymaster`";
    assert_eq!((&*error.reason, error.is_final), (expected, true));
}

/// Else one that is out of reach, as behind a firewall, would hold up all others.
#[tokio::test]
async fn a_sentinel_that_says_nothing_is_passed_over() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let redis = Fake::redis("master").await;
    let right = Fake::sentinel(&redis).await;
    let ports = [silent.local_addr().unwrap().port(), right.port];
    assert!(address(&ports).connect().await.is_ok());
}
