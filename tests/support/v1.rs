//! A client of `pode.v1` that comes back after each cut, by the rules of
//! docs/protocol.md, and knows all that it was told.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{Client, within};

pub(crate) struct V1Client {
    address: SocketAddr,
    path: String,
    client: Option<Client>,
    /// Connections that the network has lost, without a word to the server.
    lost: Vec<Client>,
    epoch: String,
    at: u64,
    pub(crate) hello: Value,
    ticket: String,
    /// What isn't acknowledged yet, by its number.
    kept: BTreeMap<u64, Value>,
    /// The last number.
    number: u64,
    /// The last number that was sent.
    sent: u64,
    /// Up to which number messages may have been handled before.
    repeated: u64,
}

impl V1Client {
    pub(crate) async fn connect(address: SocketAddr, path: &str) -> V1Client {
        let mut client = V1Client {
            address,
            path: path.to_owned(),
            client: None,
            lost: Vec::new(),
            epoch: String::new(),
            at: 0,
            hello: Value::Null,
            ticket: String::new(),
            kept: BTreeMap::new(),
            number: 0,
            sent: 0,
            repeated: 0,
        };
        client.come_back().await;
        client
    }

    /// How many messages aren't acknowledged.
    pub(crate) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Loses the connection; the server hears of that now, or when the client
    /// [comes back](Self::come_back).
    pub(crate) fn cut(&mut self, is_told: bool) {
        let client = self.client.take();
        self.lost.extend(client.filter(|_| !is_told));
    }

    /// Comes back to another process.
    pub(crate) async fn come_back_to(&mut self, address: SocketAddr) {
        self.address = address;
        self.client = None;
        self.come_back().await;
    }

    pub(crate) async fn come_back(&mut self) {
        while !self.try_to_come_back().await {
            tokio::task::yield_now().await;
        }
        self.lost.clear();
    }

    async fn try_to_come_back(&mut self) -> bool {
        let sign = if self.path.contains('?') { '&' } else { '?' };
        let path = match self.epoch.is_empty() {
            true => self.path.clone(),
            false => format!("{}{sign}resume={}-{}", self.path, self.epoch, self.at),
        };
        let offered = match self.ticket.is_empty() {
            true => "pode.v1".to_owned(),
            false => format!("pode.v1, pode.ticket.{}", self.ticket),
        };
        let headers = [("sec-websocket-protocol", &*offered)];
        let connecting = Client::handshake(self.address, &path, &headers).await;
        let Ok((client, told)) = connecting else { return false };
        assert_eq!(told["sec-websocket-protocol"], "pode.v1");
        self.client = Some(client);
        let Some(hello) = self.object().await else { return false };
        assert_eq!(hello["hello"], 1, "{hello}");
        self.ticket = hello["ticket"].as_str().unwrap().to_owned();
        if let Some(epoch) = hello["epoch"].as_str() {
            (self.epoch, self.at) = (epoch.to_owned(), hello["at"].as_u64().unwrap());
        }
        if hello["known"] == false {
            self.repeated = self.sent;
        } else if let Some(heard) = hello["heard"].as_u64() {
            self.forget(heard);
        }
        self.hello = hello;
        for number in self.kept.keys().copied().collect::<Vec<_>>() {
            if !self.send(number).await {
                return false;
            }
        }
        true
    }

    fn forget(&mut self, heard: u64) {
        assert!(heard <= self.number, "what wasn't sent isn't heard");
        self.kept = self.kept.split_off(&(heard + 1));
    }

    async fn send(&mut self, number: u64) -> bool {
        let Some(client) = &mut self.client else { return false };
        self.sent = self.sent.max(number);
        let mut object = json!({ "n": number, "data": self.kept[&number] });
        if number <= self.repeated {
            object["again"] = true.into();
        }
        let sent = client.stream.send(Message::text(object.to_string()));
        within(sent, "room for a message").await.is_ok()
    }

    /// Says something that is to be handled once.
    pub(crate) async fn say(&mut self, data: Value) {
        self.number += 1;
        self.kept.insert(self.number, data);
        self.send(self.number).await;
    }

    /// Waits for an object; `None` once the connection is lost.
    async fn object(&mut self) -> Option<Value> {
        let Client { stream } = self.client.as_mut()?;
        loop {
            match within(stream.next(), "an object").await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).ok(),
                Some(Ok(Message::Close(Some(close)))) => {
                    let code = u16::from(close.code);
                    assert!([1012, 1001, 4409].contains(&code), "{code} {}", close.reason);
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Waits for the next object that isn't only about the connection, which is a message, a gap or
    /// an acknowledgement; comes back if it is cut off meanwhile.
    pub(crate) async fn hear(&mut self) -> Value {
        loop {
            let Some(object) = self.object().await else {
                self.come_back().await;
                continue;
            };
            for at in [&object["at"], &object["gap"][1], &object["live"]] {
                self.at = at.as_u64().unwrap_or(self.at);
            }
            if let Some(epoch) = object["epoch"].as_str() {
                epoch.clone_into(&mut self.epoch);
            }
            if let Some(ticket) = object["ticket"].as_str() {
                ticket.clone_into(&mut self.ticket);
            }
            if let Some(heard) = object["ack"].as_u64() {
                self.forget(heard);
                return object;
            }
            if ["data", "error", "gap"].iter().any(|name| object.get(name).is_some()) {
                return object;
            }
        }
    }

    /// Waits until everything is acknowledged; returns what comes meanwhile.
    pub(crate) async fn hear_all(&mut self) -> Vec<Value> {
        let mut heard = Vec::new();
        while !self.kept.is_empty() {
            heard.push(self.hear().await);
        }
        heard
    }
}
