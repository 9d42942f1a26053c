//! Connections that are kept for further requests when a newer process takes over.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::program::{Folder, Shop};
use super::{LONG, SHORT};
use crate::support::{Client, get_at, within};

struct Kept(TcpStream);

impl Kept {
    async fn connect(address: SocketAddr) -> Kept {
        Kept(TcpStream::connect(address).await.unwrap())
    }

    async fn say(&mut self, words: &str) {
        self.0.write_all(words.as_bytes()).await.unwrap();
    }

    /// Waits for what ends like this.
    async fn hear(&mut self, end: &str) -> String {
        let mut heard = String::new();
        let hearing = async {
            while !heard.ends_with(end) {
                heard.push(self.0.read_u8().await.unwrap().into());
            }
        };
        within(hearing, end).await;
        heard.to_lowercase()
    }

    async fn hear_end(&mut self) {
        let end = within(self.0.read(&mut [0]), "the end of the connection").await;
        assert_eq!(end.unwrap_or(0), 0);
    }
}

/// The clients of the older process keep it for long.
#[tokio::test]
async fn kept_connections_end_when_a_newer_process_takes_over() {
    let folder = Folder::new("kept");
    let older = Shop::start(&folder, LONG).await;
    let (address, id) = (older.address, older.id());
    let mut client = Client::connect_at(address, "/talk").await.unwrap();
    let get = format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let answer = format!("\r\n\r\n{id}");
    let mut busy = Kept::connect(address).await;
    busy.say(&format!(
        "POST /news HTTP/1.1\r\nHost: {address}\r\nExpect: 100-continue\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 8\r\n\r\n"
    ))
    .await;
    assert!(busy.hear("\r\n\r\n").await.starts_with("http/1.1 100 "));
    // Connections are accepted in order.
    let (mut fresh, mut idle) = (Kept::connect(address).await, Kept::connect(address).await);
    idle.say(&get).await;
    assert!(!idle.hear(&answer).await.contains("connection: close"));

    let newer = Shop::start(&folder, SHORT).await;
    idle.hear_end().await;
    assert_eq!(get_at(address, "/").await.text(), newer.id());
    busy.say("number=1").await;
    let posted = busy.hear("\r\n\r\n").await;
    assert!(posted.starts_with("http/1.1 204 "), "{posted}");
    // Its client may just be sending the first request.
    fresh.say(&get).await;
    let fresh_answer = fresh.hear(&answer).await;
    for (mut connection, head) in [(busy, posted), (fresh, fresh_answer)] {
        assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
        connection.hear_end().await;
    }
    client.say("\"still here\"").await;
    assert_eq!(client.text().await, "\"still here\"");

    // Alone again, it keeps connections as before.
    let mut newer = newer;
    newer.process.kill().await;
    older.process.says("goes on alone").await;
    let mut kept = Kept::connect(address).await;
    for _ in 0..2 {
        kept.say(&get).await;
        assert!(!kept.hear(&answer).await.contains("connection: close"));
    }
}

/// A connection that the older process has accepted is the only way to ask it.
#[tokio::test]
async fn who_asks_how_a_server_is_reaches_the_process_that_serves() {
    let folder = Folder::new("asked");
    let older = Shop::start(&folder, LONG).await;
    let address = older.operations;
    let ask = async || {
        let answer = get_at(address, "/_pode/ready").await;
        (answer.status, answer.text().to_owned())
    };
    let ready = || (200, "ready".to_owned());
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut client = Client::connect_at(older.address, "/talk").await.unwrap();
    let mut fresh = [Kept::connect(address).await, Kept::connect(address).await];
    // Connections are accepted in order.
    assert_eq!(ask().await, ready());

    let mut newer = Shop::start(&folder, LONG).await;
    assert_eq!(newer.operations, address);
    for (connection, path, status, text) in [
        (0, "/_pode/live", "200", "\r\n\r\nlive\n"),
        (1, "/_pode/ready", "503", "\r\n\r\nanother process has taken over\n"),
    ] {
        fresh[connection].say(&get(path)).await;
        let answer = fresh[connection].hear(text).await;
        assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{answer}");
        fresh[connection].hear_end().await;
    }
    assert_eq!(ask().await, ready());
    client.say("\"still here\"").await;
    assert_eq!(client.text().await, "\"still here\"");

    // Alone again, it is ready as before.
    newer.process.kill().await;
    older.process.says("goes on alone").await;
    assert_eq!(ask().await, ready());

    // None of those that ask the newer one is answered by the older one, which stops.
    let newer = Shop::start(&folder, LONG).await;
    older.process.signal("-TERM");
    while !older.process.has_ended() {
        assert_eq!(ask().await, ready());
    }
    assert_eq!(older.end().await.0, Some(0));
    // The last one tells it itself.
    let mut last = Client::connect_at(newer.address, "/talk").await.unwrap();
    newer.process.signal("-TERM");
    assert_eq!(last.close_code().await, 1001);
    assert_eq!(newer.end().await.0, Some(0));
}
