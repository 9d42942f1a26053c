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
