//! The leader: the newer process, as long as the older one has clients. It
//! numbers the messages of both.
//!
//! Messages of the older process come over the link and go into the channels
//! here. What is numbered goes back over the link, from a backlog of each channel.
//! So a slow link holds up nobody, and messages that the older process doesn't get
//! in time are reported to it as lost.

use std::io;
use std::sync::Arc;

use futures_util::StreamExt;
use pode_core::hub::Channel;
use tokio::sync::mpsc;

use super::link::{Link, received, tell};
use super::wire::{Frame, read, unexpected};
use crate::app::sequences::{SequenceId, Sequences};
use crate::base::seconds::seconds;
use crate::push::engine::Envelope;
use crate::push::publisher::Signals;
use crate::push::wire::unpack;

/// The newer process's part in a hand-over.
pub(crate) struct Leader {
    link: Link,
    /// In the order that both know.
    channels: Vec<Channel<Envelope>>,
    sequences: Arc<Sequences>,
    /// Those of clients that come: the older process may have them.
    asked: mpsc::UnboundedReceiver<SequenceId>,
}

impl Leader {
    /// Begins before clients come.
    pub(super) fn new(
        link: Link,
        channels: Vec<Channel<Envelope>>,
        sequences: &Arc<Sequences>,
    ) -> Leader {
        let (asks, asked) = mpsc::unbounded_channel();
        sequences.ask(Some(asks));
        Leader { link, channels, sequences: Arc::clone(sequences), asked }
    }

    /// Leads until the older process has no more clients.
    ///
    /// # Errors
    ///
    /// It is gone, or has taken everything back.
    pub(super) async fn run(self, signals: Signals) -> io::Result<()> {
        let Leader { link: Link { mut reader, mut writer }, channels, sequences, asked } = self;
        let claims = received(asked).map(|id| Frame::Claim { sequence: id });
        let mut taking = std::pin::pin!(async {
            loop {
                match read(&mut reader).await? {
                    (Frame::Sent { channel, what }, payload) => {
                        let channel = channels.get(channel).ok_or(io::ErrorKind::InvalidData)?;
                        let permit = channel.reserve().await.map_err(io::Error::other)?;
                        let published = permit.publish_theirs(unpack(what, &payload)?, seconds);
                        published.map_err(io::Error::other)?;
                    }
                    (Frame::Left(left), _) => sequences.take(left),
                    (Frame::Missed { sequence }, _) => sequences.miss(sequence),
                    (Frame::Alive, _) => {}
                    (Frame::Bye, _) => return Ok(()),
                    (other, _) => return Err(unexpected(&other)),
                }
            }
        });
        let never = std::future::pending();
        let ended = tokio::select! {
            ended = &mut taking => ended,
            Err(error) = tell(&mut writer, signals.hub(), &channels, claims, never, Vec::new) => {
                // It sends `Bye` before it ends, if it can.
                tracing::debug!(%error, "the older process can't be written to");
                taking.await
            }
        };
        sequences.ask(None);
        channels.iter().for_each(Channel::lead_nobody);
        signals.end_other_stays();
        ended
    }
}
