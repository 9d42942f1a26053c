//! Who is present at all nodes.
//!
//! Each node says in a channel's stream which of its clients come and go. A node that
//! begins, or was away, asks the others who is there; and whoever may have said what is
//! lost says it once more, all of it. A node that isn't heard while others come back is
//! declared gone, by whoever notices: its clients leave. If it comes back, it reads that,
//! and is there under another name.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::mem;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use pode_core::hub::PresenceChange;

use super::beats::{BEAT, MOST_SILENT_BEATS, OwnBeats};
use super::carrier::Carrier;
use super::node::{Node, PresenceDue};

impl<C: Carrier> Node<C> {
    /// Returns the streams of channels in which clients are present, each with its grace.
    fn with_presence(&self) -> impl Iterator<Item = (usize, Duration)> {
        let grace = |path| self.signals.presence_grace(path);
        let streams = self.channels.iter().enumerate();
        streams.filter_map(move |(stream, channel)| Some((stream, grace(channel.path())?)))
    }

    /// Has it asked who is there, in this stream.
    pub(super) fn ask_who_is_present(&self, stream: usize) {
        self.owe(stream, |due| due.asks = true);
    }

    /// Has it said who is there of this node, in all streams.
    pub(super) fn announce_present(&self) {
        (0..self.channels.len()).for_each(|stream| self.announce_present_in(stream));
    }

    pub(super) fn announce_present_in(&self, stream: usize) {
        self.owe(stream, |due| due.announces = true);
    }

    fn owe(&self, stream: usize, what: impl FnOnce(&mut PresenceDue)) {
        if self.with_presence().any(|(other, _)| other == stream) {
            // No code that holds the lock can panic midway.
            let mut all = self.presence_due.lock().unwrap_or_else(PoisonError::into_inner);
            what(all.entry(stream).or_default());
            self.presence_is_due.notify_one();
        }
    }

    /// Takes note of what another node says, or of what this one had given up.
    pub(super) fn hear_presence(&self, stream: usize, from: u64, change: &PresenceChange) {
        match change {
            _ if from == self.id => self.announce_present_in(stream),
            PresenceChange::Ask => self.announce_present_in(stream),
            // It has come back there, if it was cut off here.
            PresenceChange::Join { path, id, .. } => {
                let signal = self.channels[stream].path();
                self.signals.is_back(&(signal, path.clone(), id.clone()));
            }
            PresenceChange::Without { node } if *node == self.signals.presence_node() => {
                self.signals.rename_presence_node();
                self.announce_present();
            }
            _ => {}
        }
    }
}

/// Says what there is to say, for ever.
pub(super) async fn tell_presence<C: Carrier>(node: Arc<Node<C>>) -> Infallible {
    loop {
        node.presence_is_due.notified().await;
        let due = mem::take(&mut *node.presence_due.lock().unwrap_or_else(PoisonError::into_inner));
        for (stream, PresenceDue { asks, announces, gone }) in due {
            let (signals, channel) = (&node.signals, &node.channels[stream]);
            for node in gone {
                signals.change_in(channel, PresenceChange::Without { node }).await;
            }
            if asks {
                signals.change_in(channel, PresenceChange::Ask).await;
            }
            if announces {
                signals.announce(channel).await;
            }
        }
    }
}

/// When other nodes were heard.
#[derive(Debug, Default)]
pub(super) struct HeardNodes {
    own_beats: OwnBeats,
    /// How many of these have counted.
    beats: u64,
    /// At which of these each was heard, or first seen.
    at: HashMap<u64, u64>,
}

impl HeardNodes {
    /// Another node is there.
    pub(super) fn hear(&mut self, node: u64) {
        self.at.insert(node, self.beats);
    }

    /// This node's own beat has come back: so would others.
    pub(super) fn beat<C: Carrier>(&mut self, node: &Node<C>) {
        if !self.own_beats.has_counted() {
            return;
        }
        self.beats += 1;
        let own = node.signals.presence_node();
        let mut seen = BTreeSet::new();
        for (stream, grace) in node.with_presence() {
            let Some(log) = node.channels[stream].log() else { continue };
            // As many more as its clients have for coming back.
            let most = u64::from(MOST_SILENT_BEATS) + grace.as_secs().div_ceil(BEAT.as_secs());
            for other in log.with(|log| log.presence().nodes()) {
                seen.insert(other);
                let heard = *self.at.entry(other).or_insert(self.beats);
                if other != own && self.beats - heard > most {
                    tracing::warn!(path = node.channels[stream].path(), "a node is gone");
                    node.owe(stream, |due| due.gone.extend([other]));
                }
            }
        }
        self.at.retain(|other, heard| seen.contains(other) || *heard == self.beats);
    }
}
