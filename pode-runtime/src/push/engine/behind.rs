//! A client that isn't live: a place in the log of its path, from where it gets what
//! it hasn't got yet, as fast as its socket takes it.
//!
//! That is a client that resumes, that is new and gets what was before, or that is
//! slow at a signal with history. However far behind it is, it takes no memory for
//! what it misses. When it meets the messages that its shard delivers, it is live.

use std::sync::Arc;

use bytes::Bytes;
use pode_core::hub::{Frames, LogGap, SharedLog, Snapshot, Stored, Wanted};

use super::envelope::{Audience, Envelope};
use super::form::{Form, Sent};
use super::policy::OnLag;
use super::present_clients::PresentClients;
use super::subscriber::{MAX_GROUPS, Subscriber};

/// A client's place in the log.
#[derive(Debug)]
pub(super) struct Behind {
    /// The next message.
    pub(super) number: u64,
    /// Where what it gets ends, if it is being closed.
    pub(super) until: Option<u64>,
    /// Whether it is told when it is live.
    pub(super) is_told: bool,
    /// Present if it knows of no keys: it gets what is kept of each.
    pub(super) snapshot: Option<Snapshot>,
    /// How its groups have changed since then, in order: who was a member when a
    /// message was sent gets it, and nobody else.
    changes: Vec<GroupChange>,
    /// Whether that is no longer known.
    is_lost: bool,
}

#[derive(Debug)]
struct GroupChange {
    /// The number of the message that came next.
    number: u64,
    group: Arc<str>,
    has_joined: bool,
}

/// What is needed to read a path's log for its clients.
pub(super) struct LogReader<'shard> {
    pub(super) log: Option<&'shard Arc<SharedLog<Envelope>>>,
    /// The number of the message that the shard delivers next.
    pub(super) live: u64,
    pub(super) on_lag: OnLag,
    /// Whether messages have keys.
    pub(super) has_keys: bool,
    pub(super) present: Option<&'shard mut PresentClients>,
    pub(super) read: &'shard mut Read,
}

/// What was read last, so that clients at the same place share it.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) frames: Frames,
    /// Where that is from, if others there would have got the same.
    place: Option<Place>,
    next: u64,
}

/// A log, a path in it, what is read of that, and in which form.
type Place = (Arc<SharedLog<Envelope>>, Option<Arc<str>>, Wanted, Form);

impl Behind {
    pub(super) fn new(number: u64, is_told: bool, snapshot: Option<Snapshot>) -> Behind {
        let (until, changes, is_lost) = (None, Vec::new(), false);
        Behind { number, until, is_told, snapshot, changes, is_lost }
    }

    /// Leaves out what comes before this message.
    pub(super) fn go_on_at(&mut self, number: u64) {
        self.number = number;
        self.is_lost = false;
    }

    /// Notes that the client's groups change before the message with this number.
    pub(super) fn note(&mut self, number: u64, group: &Arc<str>, has_joined: bool) {
        self.changes.retain(|change| change.number > self.number);
        let is_new = |change: &GroupChange| change.number != number || change.group != *group;
        // Among those at one place, the first tells what was before.
        if self.changes.iter().all(is_new) {
            self.changes.push(GroupChange { number, group: Arc::clone(group), has_joined });
        }
        if self.changes.len() > MAX_GROUPS {
            (self.changes, self.is_lost) = (Vec::new(), true);
        }
    }

    /// Returns whether a message was for this client when it was sent.
    fn is_meant(&self, number: u64, audience: &Audience, client: &Subscriber) -> bool {
        audience.is_for(&client.id, |group| {
            let later = self.changes.iter().find(|it| it.number > number && it.group == *group);
            match later {
                Some(change) => !change.has_joined,
                None => client.groups.as_slice().contains(group),
            }
        })
    }
}

impl LogReader<'_> {
    /// Reads what the client gets next, some 64 KiB at most; returns the number from
    /// which to read then.
    ///
    /// # Errors
    ///
    /// Messages that it hasn't got are no longer kept.
    pub(super) fn read(
        &mut self,
        behind: &Behind,
        client: &Subscriber,
        form: Form,
    ) -> Result<u64, LogGap> {
        let until = behind.until.unwrap_or(self.live);
        let Some(log) = self.log.filter(|_| !behind.is_lost) else {
            return Err(LogGap { until: self.live });
        };
        let Read { frames, place, next } = &mut *self.read;
        let wanted = Wanted { from: behind.number, until, snapshot: behind.snapshot };
        let is_same = place.as_ref().is_some_and(|(of, path, read, as_form)| {
            Arc::ptr_eq(of, log) && *path == client.path && (*read, *as_form) == (wanted, form)
        });
        if !is_same {
            *place = None;
            let is_meant = |number, audience: &_| behind.is_meant(number, audience, client);
            let sequence = client.sequence();
            let path = &client.path;
            *next = log.with(|log| {
                // As far as the log is.
                let epoch = Some(log.position().epoch);
                let write = |stored: &Stored<'_, Audience>, bytes: &mut _| {
                    let Stored { number, audience, key, frame, .. } = *stored;
                    let key = key.map(|key| &**key);
                    let answer = audience.and_then(|audience| audience.answer);
                    let next = Some(number + 1);
                    let sent = Sent { next, answer, sequence, handled: None, key, frame };
                    form.write(sent, epoch, bytes);
                };
                log.read(path, wanted, is_meant, write, frames)
            })?;
            if frames.is_common {
                *place = Some((Arc::clone(log), path.clone(), wanted, form));
            }
        }
        Ok(*next)
    }

    /// Returns the number of the oldest message that is kept of any key, or that of
    /// the message that is delivered next; and the position of the log.
    pub(super) fn state(&self, client: &Subscriber) -> (u64, u64) {
        let Some(log) = self.log else { return (self.live, self.live) };
        log.with(|log| {
            (log.newest_values(&client.path, self.live, usize::MAX), log.position().number)
        })
    }

    /// Returns what tells a client who is present, where clients are told.
    pub(super) fn here(&mut self, client: &Subscriber) -> Option<Bytes> {
        Some(self.present.as_mut()?.here(&client.path))
    }

    /// Returns the place of the newest message before where the client gets no more.
    pub(super) fn newest(&self, client: &Subscriber) -> u64 {
        let newest = self.log.and_then(|log| log.with(|log| log.last(&client.path)));
        newest.map_or(self.live, |number| number.min(self.live))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client causes takes no more memory than that of its groups.
    #[test]
    fn who_changes_its_groups_without_end_is_as_one_that_is_overtaken() {
        let mut behind = Behind::new(0, false, None);
        let group: Arc<str> = "crew".into();
        for number in 1..=MAX_GROUPS as u64 {
            behind.note(number, &group, true);
            // At one place, only the first change counts.
            behind.note(number, &group, false);
        }
        assert!(!behind.is_lost && behind.changes.len() == MAX_GROUPS);
        behind.note(u64::MAX, &group, true);
        assert!(behind.is_lost && behind.changes.capacity() == 0);
        behind.go_on_at(7);
        assert_eq!((behind.number, behind.is_lost), (7, false));
    }
}
