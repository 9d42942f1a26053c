//! One connection to an upstream, from the handshake to its end.
//!
//! Reading and writing go on side by side, so that a handler can answer while
//! it runs. Only between two messages, where no handler runs, does a connection
//! end: a handler is never cut off by what happens to the connection.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Error as WebSocketError, Message, Utf8Bytes};

use super::connect::Socket;
use super::declared::DeclaredUpstream;
use super::sender::Outgoing;

/// How long taking leave may take: until the other server has answered, and
/// has closed the connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a connection has ended.
#[derive(Debug)]
pub(super) enum End {
    /// This server stops.
    Stopping,
    /// The other server has taken leave, or just gone.
    Closed(Option<CloseFrame>),
    /// The connection, or what is sent on it, is damaged.
    Broken(WebSocketError),
    /// The other server gave no sign of life, or took nothing, for this long.
    Silent(Duration),
    /// A message is longer than allowed.
    TooLong { most: usize },
    /// The handler that each connection begins with has failed.
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
    let _ = timeout(CLOSE_TIMEOUT, take_leave(&end, &mut outgoing, &mut incoming)).await;
    end
}

/// Hands messages to the handler, one after the other. It stops between two of
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
        // Counted while something is waited for: a handler may take its time.
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
            // Signs of life.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
            Some(Err(error)) => return damaged(error),
            None => return End::Closed(None),
        };
        upstream.receive(context, &text).await;
    }
}

/// Writes what is sent, and asks for signs of life. When that doesn't work any
/// more, it says so and waits for the end, which is not at its own choice.
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
            // Whoever has sent may have gone away meanwhile.
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
            // Nobody may wait for it any more.
            Ok(Ok(())) => drop(taken.map(|taken| taken.send(()))),
            Ok(Err(error)) => break damaged(error),
            Err(_) => break End::Silent(upstream.silence_timeout().unwrap_or_default()),
        }
    };
    upstream.sender().disconnect();
    // Those who wait for their messages to be taken are told.
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

/// Says why this side ends the connection, or answers the other side, and waits
/// until it is closed.
async fn take_leave(
    end: &End,
    outgoing: &mut SplitSink<Socket, Message>,
    incoming: &mut SplitStream<Socket>,
) {
    let code = match end {
        End::Stopping => CloseCode::Away,
        End::TooLong { .. } => CloseCode::Size,
        End::NotBegun => CloseCode::Normal,
        End::Closed(Some(_)) => {
            // The answer is sent when more is looked for.
            while let Some(Ok(_)) = incoming.next().await {}
            return;
        }
        End::Closed(None) | End::Broken(_) | End::Silent(_) => return,
    };
    let frame = CloseFrame { code, reason: Utf8Bytes::default() };
    if outgoing.send(Message::Close(Some(frame))).await.is_ok() {
        while let Some(Ok(_)) = incoming.next().await {}
    }
}

/// As the log says it.
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
