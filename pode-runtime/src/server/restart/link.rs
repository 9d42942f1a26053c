//! The connection of two processes, and what goes over it in both directions: what
//! their channels have for the other one.

use std::io;
use std::pin::pin;

use futures_util::stream::poll_fn;
use futures_util::{FutureExt, Stream, StreamExt};
use pode_core::hub::{Channel, Hub, Notice};
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::wire::{BEAT, Frame, write_whenever};
use crate::push::engine::Envelope;
use crate::push::wire::pack;

/// How many notices of a channel are sent before other channels have their turn.
const NOTICES_PER_TURN: usize = 256;

/// Both directions of the connection.
pub(super) struct Link {
    pub(super) reader: BufReader<OwnedReadHalf>,
    pub(super) writer: OwnedWriteHalf,
}

impl Link {
    pub(super) fn new(stream: UnixStream) -> Link {
        let (reader, writer) = stream.into_split();
        Link { reader: BufReader::new(reader), writer }
    }
}

/// Returns what comes to a receiver.
pub(super) fn received<T>(mut receiver: mpsc::UnboundedReceiver<T>) -> impl Stream<Item = T> {
    poll_fn(move |context| receiver.poll_recv(context))
}

/// Tells the other process what the channels have for it, and that this one is there,
/// until `end`, and then what is `left` to say, and that it ends; with other frames that
/// are due. Frames refer to channels by their index here.
///
/// # Errors
///
/// The other process can't be written to.
pub(super) async fn tell(
    writer: &mut OwnedWriteHalf,
    hub: &Hub<Envelope>,
    channels: &[Channel<Envelope>],
    others: impl Stream<Item = Frame>,
    end: impl Future<Output = ()>,
    left: impl FnOnce() -> Vec<Frame>,
) -> io::Result<()> {
    let (mut others, mut end) = (Box::pin(others), pin!(end));
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut is_idle = true;
        while let Some(Some(frame)) = others.next().now_or_never() {
            write_whenever(writer, &frame, b"").await?;
        }
        for (channel, its) in channels.iter().enumerate() {
            for notice in its.take_notices(NOTICES_PER_TURN) {
                is_idle = false;
                tell_one(writer, channel, notice).await?;
            }
        }
        if is_idle {
            // No write is cut off, as each is awaited outside of the choice.
            let frame = tokio::select! {
                () = hub.noticed(), if !channels.is_empty() => continue,
                Some(frame) = others.next() => frame,
                _ = beats.tick() => Frame::Alive,
                () = &mut end => break,
            };
            write_whenever(writer, &frame, b"").await?;
        }
    }
    while let Some(Some(frame)) = others.next().now_or_never() {
        write_whenever(writer, &frame, b"").await?;
    }
    // What isn't done is left.
    drop(others);
    for frame in left().iter().chain([&Frame::Bye]) {
        write_whenever(writer, frame, b"").await?;
    }
    Ok(())
}

async fn tell_one(
    writer: &mut OwnedWriteHalf,
    channel: usize,
    notice: Notice<Envelope>,
) -> io::Result<()> {
    match notice {
        Notice::Sent(envelope) => {
            let (what, payload) = pack(&envelope)?;
            write_whenever(writer, &Frame::Sent { channel, what }, payload).await
        }
        Notice::Published { number, parcel } => {
            let (what, payload) = pack(&parcel)?;
            write_whenever(writer, &Frame::Published { channel, number, what }, payload).await
        }
        Notice::Back { number } => {
            write_whenever(writer, &Frame::Back { channel, number }, b"").await
        }
        Notice::Lost { until, back } => {
            tracing::warn!("the other process is too far behind");
            write_whenever(writer, &Frame::Lost { channel, until, back }, b"").await
        }
    }
}
