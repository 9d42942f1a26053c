//! Who is present at the paths of a channel, as the clients in one shard know it.
//!
//! The table is a copy of the log's, as it was at some position; from there on it changes
//! with what the shard delivers. So what a client is told has its place among the
//! messages. A client for which something waits isn't told of changes: it gets the whole
//! table when it has caught up, however much has changed.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use pode_core::hub::{Presence, PresenceChange, PresenceNews, SharedLog};

use super::envelope::Envelope;
use super::form;

/// How many counts in a row, one each second, tell that few enough are there for telling of
/// each. Otherwise one client that comes and goes has everybody told of all others, each
/// second.
const FEW_COUNTS: u32 = 10;

/// A path within a family; none, if the channel's signal has but one.
type Own = Option<Arc<str>>;

#[derive(Debug)]
pub(super) struct PresentClients {
    /// Of how many at a path each is told.
    most: usize,
    table: Presence,
    /// Changes before this number are in it.
    as_of: u64,
    /// Where clients know only how many are there.
    counted: HashMap<Own, Counted>,
    /// The last frame that tells all who are at a path.
    here: Option<(Own, Bytes)>,
}

#[derive(Debug)]
struct Counted {
    /// The number that they know.
    known: usize,
    /// How many counts in a row have been few enough.
    few: u32,
}

/// What clients of a path are told.
pub(super) type News = (Own, Bytes);

impl PresentClients {
    pub(super) fn of(log: &SharedLog<Envelope>, most: usize) -> PresentClients {
        let (table, as_of) = log.with(|log| (log.presence().clone(), log.position().number));
        PresentClients { most, table, as_of, counted: HashMap::new(), here: None }
    }

    /// Applies the change before this number.
    pub(super) fn apply(&mut self, change: &PresenceChange, number: u64) -> Vec<News> {
        if number <= self.as_of {
            return Vec::new();
        }
        let news = self.table.apply(change);
        news.into_iter()
            .filter_map(|news| Some((news.path.clone(), self.tell(news, number)?)))
            .collect()
    }

    /// Returns what tells clients something; `None` if they only know how many are there,
    /// which the next beat tells.
    fn tell(&mut self, news: PresenceNews, number: u64) -> Option<Bytes> {
        let PresenceNews { path, id, info } = news;
        self.here.take_if(|(of, _)| *of == path);
        let count = self.table.at(&path).len();
        if let Some(Counted { few, .. }) = self.counted.get_mut(&path) {
            // Also for a moment between two counts.
            *few = if count > self.most { 0 } else { *few };
            return None;
        }
        if count > self.most {
            self.counted.insert(path, Counted { known: count, few: 0 });
            return Some(form::count(count));
        }
        Some(match info {
            Some(info) => form::join(&id, &info, number),
            None => form::leave(&id, number),
        })
    }

    /// Returns what tells all who are at a path, or how many.
    pub(super) fn here(&mut self, path: &Own) -> Bytes {
        let present = self.table.at(path);
        let count = present.len();
        if count > self.most || self.counted.contains_key(path) {
            // All are told the same, so that all are told when it changes.
            let counted = self.counted.entry(path.clone());
            return form::count(counted.or_insert(Counted { known: count, few: 0 }).known);
        }
        if let Some((_, frame)) = self.here.as_ref().filter(|(of, _)| of == path) {
            return frame.clone();
        }
        let frame = form::here(present);
        self.here = Some((path.clone(), frame.clone()));
        frame
    }

    /// Returns what is news where clients know how many are there.
    pub(super) fn recounted(&mut self) -> Vec<News> {
        let mut news = Vec::new();
        self.counted.retain(|path, Counted { known, few }| {
            let present = self.table.at(path);
            let count = present.len();
            *few = if count <= self.most { *few + 1 } else { 0 };
            if *few >= FEW_COUNTS {
                news.push((path.clone(), form::here(present)));
            } else if count != *known {
                *known = count;
                news.push((path.clone(), form::count(count)));
            }
            *few < FEW_COUNTS
        });
        news
    }
}
