//! One connection to an upstream, from the handshake to its end.
//!
//! Reading and writing run concurrently, so that a handler can reply while it
//! runs. A connection ends only between two messages, when no handler runs: a
//! handler is never aborted because of its connection.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{self, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Error as WebSocketError, Message, Utf8Bytes};

use super::declared::DeclaredUpstream;
use super::handshake::Socket;
use super::sender::Outgoing;

/// How long closing may take: until the other server has answered and closed
/// the connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a connection has ended.
#[derive(Debug)]
pub(super) enum End {
    /// This server stops.
    Stopping,
    /// The other server has closed the connection, with or without a close
    /// frame.
    Closed(Option<CloseFrame>),
    /// The connection, or the data on it, is damaged.
    Broken(WebSocketError),
    /// The other server was silent, or took nothing, for this long.
    Silent(Duration),
    /// A message is longer than allowed.
    TooLong { most: usize },
    /// The `on_connect` handler, with which each connection begins, has failed.
    NotBegun,
}

/// Serves a connection until it ends.
pub(super) async fn serve<Context>(
    upstream: &DeclaredUpstream<Context>,
    socket: Socket,
    context: &Context,
    stopping: &mut watch::Receiver<Option<Instant>>,
) -> End {
    let (mut outgoing, mut incoming) = socket.split();
    let queue = upstream.sender().connect();
    let (broken, is_broken) = oneshot::channel();
    let end = tokio::select! {
        end = read(upstream, &mut incoming, context, stopping, is_broken) => end,
        never = write(upstream, &mut outgoing, queue, broken) => match never {},
    };
    match end {
        End::Stopping => upstream.sender().stop(),
        _ => upstream.sender().disconnect(),
    }
    let socket = incoming.reunite(outgoing).expect("they are halves of one socket");
    let _ = timeout(CLOSE_TIMEOUT, take_leave(&end, socket)).await;
    end
}

/// Passes messages to the handler, one after the other. It stops between two of
/// them.
async fn read<Context>(
    upstream: &DeclaredUpstream<Context>,
    incoming: &mut SplitStream<Socket>,
    context: &Context,
    stopping: &mut watch::Receiver<Option<Instant>>,
    mut broken: oneshot::Receiver<End>,
) -> End {
    if !upstream.begin(context).await {
        return End::NotBegun;
    }
    loop {
        // Counts only while waiting: a handler may take its time.
        let silence = async {
            match upstream.silence_timeout() {
                Some(silence_timeout) => sleep(silence_timeout).await,
                None => pending().await,
            }
        };
        let message = tokio::select! {
            biased;
            _ = stopping.wait_for(Option::is_some) => return End::Stopping,
            Ok(end) = &mut broken => return end,
            message = incoming.next() => message,
            () = silence => return End::Silent(upstream.silence_timeout().unwrap_or_default()),
        };
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Binary(bytes))) => match Utf8Bytes::try_from(bytes) {
                Ok(text) => text,
                Err(_) => {
                    upstream.skip("it is binary, and no text in UTF-8", "");
                    continue;
                }
            },
            Some(Ok(Message::Close(frame))) => return End::Closed(frame),
            // They only show that the other server is alive.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
            Some(Err(error)) => return damaged(error),
            None => return End::Closed(None),
        };
        upstream.receive(context, &text).await;
    }
}

/// Writes outgoing messages and pings. When writing fails, reports that and
/// waits for the end, which the reader decides.
async fn write<Context>(
    upstream: &DeclaredUpstream<Context>,
    outgoing: &mut SplitSink<Socket, Message>,
    mut queue: mpsc::Receiver<Outgoing>,
    broken: oneshot::Sender<End>,
) -> Infallible {
    let heartbeat = upstream.heartbeat();
    let mut beats = heartbeat.map(|heartbeat| {
        let mut beats = interval_at(Instant::now() + heartbeat, heartbeat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beats
    });
    let end = loop {
        let beat = async {
            match &mut beats {
                Some(beats) => beats.tick().await,
                None => pending().await,
            }
        };
        let (message, taken) = tokio::select! {
            // The sender may have given up meanwhile.
            Some(sent) = queue.recv() => match sent.taken.is_closed() {
                false => (Message::text(sent.text), Some(sent.taken)),
                true => continue,
            },
            _ = beat => (Message::Ping(Bytes::new()), None),
            else => pending().await,
        };
        let written = async {
            match upstream.silence_timeout() {
                Some(silence_timeout) => timeout(silence_timeout, outgoing.send(message)).await,
                None => Ok(outgoing.send(message).await),
            }
        };
        match written.await {
            // The sender may no longer wait for it.
            Ok(Ok(())) => drop(taken.map(|taken| taken.send(()))),
            Ok(Err(error)) => break damaged(error),
            Err(_) => break End::Silent(upstream.silence_timeout().unwrap_or_default()),
        }
    };
    upstream.sender().disconnect();
    // Notifies senders that wait for their messages to be taken.
    drop(queue);
    let _ = broken.send(end);
    pending().await
}

fn damaged(error: WebSocketError) -> End {
    match error {
        WebSocketError::Capacity(CapacityError::MessageTooLong { max_size, .. }) => {
            End::TooLong { most: max_size }
        }
        WebSocketError::ConnectionClosed | WebSocketError::AlreadyClosed => End::Closed(None),
        error => End::Broken(error),
    }
}

/// Sends a close frame with the reason, or answers the other side's, and waits
/// until the connection is closed.
async fn take_leave(end: &End, mut socket: Socket) -> Result<(), WebSocketError> {
    let code = match end {
        End::Stopping => CloseCode::Away,
        End::TooLong { .. } => CloseCode::Size,
        End::NotBegun => CloseCode::Normal,
        End::Broken(WebSocketError::Utf8(_)) => CloseCode::Invalid,
        End::Broken(WebSocketError::Protocol(rule))
            if *rule != ProtocolError::ResetWithoutClosingHandshake =>
        {
            CloseCode::Protocol
        }
        End::Closed(Some(_)) => {
            // The answer is sent by reading on.
            while let Some(Ok(_)) = socket.next().await {}
            return Ok(());
        }
        End::Closed(None) | End::Broken(_) | End::Silent(_) => return Ok(()),
    };
    socket.send(Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::default() }))).await?;
    // Nothing more is understood (RFC 6455, section 7.1.7), but all is read: a
    // socket that is dropped before that is reset, which may overtake the frame.
    let stream = socket.get_mut();
    stream.shutdown().await?;
    io::copy(stream, &mut io::sink()).await?;
    Ok(())
}

/// The text for the log.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Stopping => f.write_str("this server stops"),
            End::Closed(None) => f.write_str("the connection was closed"),
            End::Closed(Some(CloseFrame { code, reason })) => {
                write!(f, "the connection was closed with {}", u16::from(*code))?;
                if reason.is_empty() { Ok(()) } else { write!(f, ", {:?}", reason.as_str()) }
            }
            End::Broken(error) => write!(f, "the connection broke: {error}"),
            End::Silent(silence_timeout) => {
                write!(f, "no sign of life came for {silence_timeout:?}")
            }
            End::TooLong { most } => {
                write!(f, "a message has more than {most} bytes; `max_message_bytes` allows more")
            }
            End::NotBegun => f.write_str("the connection is of no use without `on_connect`"),
        }
    }
}
