//! A broadcast as the examples of axum show it: a channel for each path, and for
//! each client a task that writes and one that reads.
//!
//! (With one task for both, by `select!`, tungstenite clears its read buffer of
//! 128 KiB after each message, which costs more than sending it.)

use std::io;
use std::path::Path as FilePath;
use std::sync::Arc;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, error::RecvError};

use super::{Publisher, listen, tls};

/// How many messages a channel holds; a full channel drops the oldest.
const CAPACITY_MESSAGES: usize = 128;

#[derive(Clone)]
pub(super) struct Channels {
    channels: Arc<[broadcast::Sender<String>]>,
}

pub(super) async fn start(
    paths: usize,
    certificate: Option<&FilePath>,
) -> io::Result<(u16, Channels)> {
    let channels = (0..paths).map(|_| broadcast::channel(CAPACITY_MESSAGES).0).collect();
    let channels = Channels { channels };
    let application = Router::new().route("/{path}", get(upgrade)).with_state(channels.clone());
    let listener = TcpListener::from_std(listen()?)?;
    let port = listener.local_addr()?.port();
    match certificate {
        Some(folder) => {
            let listener = tls::Listener::new(listener, tls::config(folder)?)?;
            tokio::spawn(axum::serve(listener, application).into_future());
        }
        None => {
            tokio::spawn(axum::serve(listener, application).into_future());
        }
    }
    Ok((port, channels))
}

async fn upgrade(
    Path(path): Path<usize>,
    State(state): State<Channels>,
    upgrade: WebSocketUpgrade,
) -> Response {
    match state.channels.get(path) {
        Some(channel) => {
            let messages = channel.subscribe();
            upgrade.on_upgrade(|socket| client(socket, messages))
        }
        None => axum::http::StatusCode::NOT_FOUND.into_response(),
    }
}

async fn client(socket: WebSocket, messages: broadcast::Receiver<String>) {
    let (writer, mut reader) = socket.split();
    let writing = tokio::spawn(write(writer, messages));
    while let Some(Ok(_)) = reader.next().await {}
    writing.abort();
}

async fn write(
    mut writer: SplitSink<WebSocket, Message>,
    mut messages: broadcast::Receiver<String>,
) {
    loop {
        match messages.recv().await {
            Ok(text) => {
                if writer.send(Message::text(text)).await.is_err() {
                    return;
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

impl Publisher for Channels {
    async fn publish(&self, path: usize, text: String) -> io::Result<()> {
        // An error only means that nobody listens.
        let _ = self.channels[path].send(serde_json::to_string(&text)?);
        Ok(())
    }
}
