//! The leader: the newer process, as long as the older one has clients. It
//! numbers the messages of both.
//!
//! Messages of the older process come over the link and go into the channels
//! here. What is numbered goes back over the link, from a backlog of each channel.
//! So a slow link holds up nobody, and messages that the older process doesn't get
//! in time are reported to it as a gap.

use std::io;

use pode_core::hub::{Channel, Hub, LogGap, Publication};
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{MissedTickBehavior, interval};

use super::wire::{BEAT, Frame, pack, put, read, unexpected, unpack, write};
use crate::push::engine::Envelope;
use crate::push::publisher::Signals;

/// How many messages of a channel are sent before other channels have their
/// turn.
const MESSAGES_PER_TURN: usize = 256;

/// Both directions of the connection to the other process.
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

/// The newer process's part in a hand-over.
pub(crate) struct Leader {
    link: Link,
    /// By path and index, in the order that both know.
    channels: Vec<(&'static str, usize)>,
}

impl Leader {
    pub(super) fn new(link: Link, channels: Vec<(&'static str, usize)>) -> Leader {
        Leader { link, channels }
    }

    /// Leads until the older process has no more clients.
    ///
    /// # Errors
    ///
    /// It is gone, or has taken everything back.
    pub(super) async fn run(self, signals: Signals) -> io::Result<()> {
        let hub = signals.hub();
        let Link { mut reader, mut writer } = self.link;
        let mut channels = Vec::new();
        for (path, index) in self.channels {
            // It was found by this path before.
            let Ok(same_path) = hub.channels_of(path) else { continue };
            channels.push(&same_path[index]);
        }
        let mut taking = std::pin::pin!(take(&mut reader, &channels));
        let ended = tokio::select! {
            ended = &mut taking => ended,
            Err(error) = give(&mut writer, hub, &channels) => {
                // It sends `Bye` before it ends, if it can.
                tracing::debug!(%error, "the older process can't be written to");
                taking.await
            }
        };
        channels.iter().for_each(|channel| channel.lead_nobody());
        ended
    }
}

/// Puts the messages of the older process into the channels.
async fn take(
    reader: &mut BufReader<OwnedReadHalf>,
    channels: &[&Channel<Envelope>],
) -> io::Result<()> {
    loop {
        match read(reader).await? {
            (Frame::Sent { channel, tag, what }, payload) => {
                let channel = channels.get(channel).ok_or(io::ErrorKind::InvalidData)?;
                let envelope = unpack(what, &payload)?;
                put(channel, envelope, tag).await?;
            }
            (Frame::Bye, _) => return Ok(()),
            (other, _) => return Err(unexpected(&other)),
        }
    }
}

/// Sends numbered messages and signs of life to the older process, until that
/// fails.
async fn give(
    writer: &mut OwnedWriteHalf,
    hub: &Hub<Envelope>,
    channels: &[&Channel<Envelope>],
) -> io::Result<()> {
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut is_idle = true;
        for (place, channel) in channels.iter().enumerate() {
            match channel.take_backlog(MESSAGES_PER_TURN) {
                Ok(taken) => {
                    for Publication { number, tag, parcel } in taken {
                        let (what, payload) = pack(&parcel);
                        let frame = Frame::Numbered { channel: place, number, tag, what };
                        write(writer, &frame, payload).await?;
                        is_idle = false;
                    }
                }
                Err(LogGap { until }) => {
                    tracing::warn!(path = channel.path(), "the older process is too far behind");
                    let frame = Frame::Behind { channel: place, number: until };
                    write(writer, &frame, b"").await?;
                    is_idle = false;
                }
            }
        }
        if is_idle {
            tokio::select! {
                () = hub.numbered() => {}
                _ = beats.tick() => write(writer, &Frame::Alive, b"").await?,
            }
        }
    }
}
