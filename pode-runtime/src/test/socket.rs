//! A WebSocket that a test holds, at either end.
//!
//! A task always reads from it, so that its server never waits for the test: what
//! comes is kept until the test asks for it. It ends when the socket is dropped.

use std::fmt;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::json;
use super::patience::Patience;
use crate::net::upgraded::AnyStream;

/// How a connection has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// The code of the other side's close frame; 1005 if it names none, and 1006 if
    /// there was no close frame (RFC 6455, section 7.1.5).
    pub code: u16,
    /// Its reason; empty if there is none.
    pub reason: String,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the connection was closed with {}", self.code)?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, ", {:?}", self.reason) }
    }
}

/// What the other side has sent.
pub(super) enum Heard {
    Text(String),
    Binary(Bytes),
}

impl Heard {
    fn bytes(&self) -> &[u8] {
        match self {
            Heard::Text(text) => text.as_bytes(),
            Heard::Binary(bytes) => bytes,
        }
    }
}

/// The end of a socket that the test talks to.
pub(super) struct Socket {
    messages: mpsc::UnboundedReceiver<Heard>,
    link: Link,
    /// What is at the other end, for failures.
    what: String,
    task: AbortHandle,
}

/// What the task of a socket does, and has seen. Cloning shares it.
#[derive(Clone)]
pub(super) struct Link {
    outgoing: mpsc::UnboundedSender<(Message, oneshot::Sender<()>)>,
    seen: watch::Receiver<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The last answer to a ping, and the last marker.
    pong: u64,
    marker: u64,
    end: Option<Closed>,
}

/// What a marker begins with. It is no JSON, and nobody else sends it.
const MARKER: &str = "\u{1}pode::test marker ";

/// Returns the text of a marker.
pub(super) fn marker(number: u64) -> String {
    format!("{MARKER}{number}")
}

impl Socket {
    /// Has a task hold the socket.
    pub(super) fn hold<S: AnyStream + 'static>(socket: WebSocketStream<S>, what: String) -> Socket {
        let (heard, messages) = mpsc::unbounded_channel();
        let (outgoing, queue) = mpsc::unbounded_channel();
        let (sees, seen) = watch::channel(Seen::default());
        let task = tokio::spawn(run(socket, heard, queue, sees)).abort_handle();
        Socket { messages, link: Link { outgoing, seen }, what, task }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    pub(super) async fn next(&mut self, patience: Patience) -> Heard {
        let what = format!("a message {}", self.what);
        match patience.wait(&what, self.messages.recv()).await {
            Some(heard) => heard,
            None => {
                let end = self.link.end().await;
                patience.fail(format_args!("expected {what}, but {end}"))
            }
        }
    }

    pub(super) async fn next_text(&mut self, patience: Patience) -> String {
        match self.next(patience).await {
            Heard::Text(text) => text,
            Heard::Binary(bytes) => patience.fail(format_args!(
                "expected a text {}, got {} bytes in a binary message",
                self.what,
                bytes.len()
            )),
        }
    }

    pub(super) async fn next_bytes(&mut self, patience: Patience) -> Bytes {
        match self.next(patience).await {
            Heard::Binary(bytes) => bytes,
            Heard::Text(text) => patience.fail(format_args!(
                "expected a binary message {}, got the text {:?}",
                self.what,
                json::shown(text.as_bytes())
            )),
        }
    }

    pub(super) async fn next_json<T: DeserializeOwned>(&mut self, patience: Patience) -> T {
        json::read(self.next(patience).await.bytes(), patience)
    }

    /// Compares the next message with another by the JSON of both.
    pub(super) async fn assert_next<T: Serialize + ?Sized>(
        &mut self,
        expected: &T,
        patience: Patience,
    ) {
        let expected = json::write(expected, patience);
        let got = self.next(patience).await;
        let value = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).ok();
        if value(got.bytes()) != value(expected.as_bytes()) {
            let got = json::shown(got.bytes());
            patience.fail(format_args!("expected {expected} {}, got {got}", self.what));
        }
    }

    /// Returns what has come and wasn't asked for.
    pub(super) fn unread(&mut self) -> Option<Heard> {
        self.messages.try_recv().ok()
    }

    /// Fails if something has come that wasn't asked for, or nothing can come any
    /// more.
    pub(super) async fn assert_nothing_unread(&mut self, patience: Patience) {
        if let Some(heard) = self.unread() {
            let heard = json::shown(heard.bytes());
            patience.fail(format_args!("expected no message {}, got {heard}", self.what));
        }
        if self.link.has_ended() {
            let end = self.link.end().await;
            patience.fail(format_args!("expected a silent client {}, but {end}", self.what));
        }
    }

    pub(super) async fn send(&self, message: Message, patience: Patience) {
        let sent = self.link.send(message);
        if !patience.wait(format!("room for a message {}", self.what), sent).await {
            let end = self.link.end().await;
            patience.fail(format_args!("nothing can be sent any more {}: {end}", self.what));
        }
    }

    /// Waits for the end of the connection.
    pub(super) async fn closed(&self, patience: Patience) -> Closed {
        patience.wait(format!("the end of the connection {}", self.what), self.link.end()).await
    }

    /// Sends a close frame, and waits for the end of the connection.
    pub(super) async fn close(&self, code: u16, reason: &str, patience: Patience) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        // It may have ended already.
        self.link.send(Message::Close(Some(frame))).await;
        self.closed(patience).await;
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("end", &self.link.seen.borrow().end).finish_non_exhaustive()
    }
}

impl Link {
    /// Sends a message; returns whether it has left.
    async fn send(&self, message: Message) -> bool {
        let (sent, is_sent) = oneshot::channel();
        self.outgoing.send((message, sent)).is_ok() && is_sent.await.is_ok()
    }

    /// Waits until the other side has read what was sent.
    pub(super) async fn ping(&self, number: u64) {
        if self.send(Message::Ping(number.to_be_bytes().to_vec().into())).await {
            self.until(|seen| seen.pong >= number).await;
        }
    }

    /// Waits for a marker.
    pub(super) async fn marked(&self, number: u64) {
        self.until(|seen| seen.marker >= number).await;
    }

    pub(super) fn has_ended(&self) -> bool {
        self.seen.has_changed().is_err() || self.seen.borrow().end.is_some()
    }

    async fn end(&self) -> Closed {
        self.until(|seen| seen.end.is_some()).await;
        let lost = Closed { code: 1006, reason: String::new() };
        self.seen.borrow().end.clone().unwrap_or(lost)
    }

    /// Waits until it is so, or the connection has ended.
    async fn until(&self, so: impl Fn(&Seen) -> bool) {
        let mut seen = self.seen.clone();
        // The task has ended with the connection.
        let _ = seen.wait_for(|seen| so(seen) || seen.end.is_some()).await;
    }
}

async fn run<S: AnyStream>(
    socket: WebSocketStream<S>,
    heard: mpsc::UnboundedSender<Heard>,
    mut queue: mpsc::UnboundedReceiver<(Message, oneshot::Sender<()>)>,
    sees: watch::Sender<Seen>,
) {
    let (mut outgoing, mut incoming) = socket.split();
    let read = async {
        let mut end = Closed { code: 1006, reason: String::new() };
        while let Some(Ok(message)) = incoming.next().await {
            match message {
                Message::Text(text) => match text.strip_prefix(MARKER).map(str::parse) {
                    Some(Ok(number)) => sees.send_modify(|seen| seen.marker = number),
                    _ => drop(heard.send(Heard::Text(text.to_string()))),
                },
                Message::Binary(bytes) => drop(heard.send(Heard::Binary(bytes))),
                Message::Pong(payload) => {
                    if let Ok(number) = <[u8; 8]>::try_from(&payload[..]) {
                        sees.send_modify(|seen| seen.pong = u64::from_be_bytes(number));
                    }
                }
                // The answer is sent by reading on.
                Message::Close(None) => end.code = 1005,
                Message::Close(Some(CloseFrame { code, reason })) => {
                    end = Closed { code: code.into(), reason: reason.to_string() };
                }
                // The library answers a ping.
                Message::Ping(_) | Message::Frame(_) => {}
            }
        }
        end
    };
    let write = async {
        while let Some((message, sent)) = queue.recv().await {
            if outgoing.send(message).await.is_ok() {
                let _ = sent.send(());
            }
        }
        std::future::pending::<()>().await;
    };
    let end = tokio::select! {
        end = read => end,
        () = write => unreachable!("it is pending"),
    };
    // Before those who wait learn of the end.
    drop((outgoing, incoming, heard));
    sees.send_modify(|seen| seen.end = Some(end));
}
