//! Numbered messages: their publisher, and their followers.
//!
//! Each message is posted until it is answered, to whichever process serves. So
//! every answered number reached the server, and a follower knows which messages
//! it must have received.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::http::Http;
use crate::counts::Counts;
use crate::server::Numbered;

/// How long a failed request waits until it is repeated, and how often.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
const TRIES: usize = 400;

/// The messages that one task publishes.
#[derive(Debug)]
pub(crate) struct Stream {
    name: &'static str,
    /// The path of the POST requests.
    target: String,
    filling_bytes: usize,
    interval: Duration,
    /// The latest number whose request was begun.
    begun: AtomicU64,
    /// The latest number whose request was answered.
    answered: AtomicU64,
    /// The numbers whose request was repeated: they may come twice.
    repeated: Mutex<BTreeSet<u64>>,
}

impl Stream {
    pub(crate) fn new(
        name: &'static str,
        target: impl Into<String>,
        per_second: u32,
        filling_bytes: usize,
    ) -> Stream {
        let interval = Duration::from_secs(1) / per_second;
        let target = target.into();
        Stream {
            name,
            target,
            filling_bytes,
            interval,
            begun: 0.into(),
            answered: 0.into(),
            repeated: Mutex::default(),
        }
    }

    /// The latest number that a client which is admitted now may have missed.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    /// The latest number that every client which was admitted before must receive.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }

    fn note_repeated(&self, number: u64) {
        self.repeated.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
    }

    fn is_repeated(&self, number: u64) -> bool {
        self.repeated.lock().unwrap_or_else(PoisonError::into_inner).contains(&number)
    }

    /// Publishes until told to stop.
    pub(crate) async fn publish(
        &self,
        port: u16,
        counts: &Counts,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut pace = interval(self.interval);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut http = Http::new(port);
        let filling = "x".repeat(self.filling_bytes);
        for number in self.begun() + 1.. {
            tokio::select! {
                _ = pace.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let message =
                Numbered { stream: self.name.to_owned(), number, filling: filling.clone() };
            let Ok(body) = serde_json::to_string(&message) else {
                unreachable!("it is plain data")
            };
            self.begun.store(number, Ordering::SeqCst);
            let mut tries = 0;
            while http.post(&self.target, &body).await.ok() != Some(204) {
                tries += 1;
                counts.published_again.add(1);
                if tries == TRIES {
                    counts.wrong(format!("nobody takes what is published to {}", self.target));
                    return;
                }
                self.note_repeated(number);
                sleep(AGAIN_AFTER).await;
            }
            self.answered.store(number, Ordering::SeqCst);
            counts.published.add(1);
        }
    }
}

/// The messages of a stream that a client has received.
#[derive(Debug)]
pub(crate) struct Follower<'a> {
    stream: &'a Stream,
    counts: &'a Counts,
    /// Everything after this number is still to come.
    last: u64,
    /// Whether any message came: before that, lower numbers may come.
    has_heard: bool,
}

impl<'a> Follower<'a> {
    /// Begins to follow, after the client was admitted.
    pub(crate) fn new(stream: &'a Stream, counts: &'a Counts) -> Follower<'a> {
        Follower { stream, counts, last: stream.begun(), has_heard: false }
    }

    /// Takes a message.
    pub(crate) fn hear(&mut self, json: &str) {
        let Ok(message) = serde_json::from_str::<Numbered>(json) else {
            return self.counts.wrong("a client got what nobody published");
        };
        if message.stream != self.stream.name {
            return self.counts.astray.add(1);
        }
        self.counts.received.add(1);
        match message.number.checked_sub(self.last) {
            // It was in flight when the client was admitted.
            None | Some(0) if !self.has_heard => self.last = message.number,
            None | Some(0) => {
                self.counts.twice.add(1);
                if !self.stream.is_repeated(message.number) {
                    self.counts.wrong("a message came twice that was posted once");
                }
            }
            Some(ahead) => {
                self.counts.lost.add(ahead - 1);
                self.last = message.number;
            }
        }
        self.has_heard = true;
    }

    /// Whether everything up to a number has come.
    pub(crate) fn has(&self, number: u64) -> bool {
        self.last >= number
    }

    /// Counts the missing messages up to a number as lost.
    pub(crate) fn give_up(&self, number: u64) {
        self.counts.lost.add(number.saturating_sub(self.last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(stream: &str, number: u64) -> String {
        format!(r#"{{"stream":"{stream}","number":{number},"filling":""}}"#)
    }

    #[test]
    fn every_gap_counts() {
        let (stream, counts) = (Stream::new("news", "/news", 1, 0), Counts::default());
        stream.begun.store(10, Ordering::SeqCst);
        let mut follower = Follower::new(&stream, &counts);
        // These were in flight when it connected.
        for number in [9, 10, 11] {
            follower.hear(&message("news", number));
        }
        assert_eq!((counts.received.get(), counts.lost.get()), (3, 0));
        follower.hear(&message("news", 11));
        assert_eq!((counts.twice.get(), counts.lost.get()), (1, 0));
        assert!(!counts.is_well());
        follower.hear(&message("news", 15));
        assert_eq!(counts.lost.get(), 3);
        assert!(follower.has(15) && !follower.has(16));
        follower.give_up(17);
        assert_eq!(counts.lost.get(), 5);
        follower.hear(&message("ticks", 16));
        assert_eq!(counts.astray.get(), 1);
    }

    #[test]
    fn only_what_was_posted_again_may_come_twice() {
        let (stream, counts) = (Stream::new("news", "/news", 1, 0), Counts::default());
        stream.note_repeated(1);
        let mut follower = Follower::new(&stream, &counts);
        for number in [1, 1, 2] {
            follower.hear(&message("news", number));
        }
        assert!(counts.is_well());
        follower.hear(&message("news", 2));
        assert_eq!(counts.twice.get(), 2);
        assert!(!counts.is_well());
    }

    #[test]
    fn what_is_missing_from_the_start_counts() {
        let (stream, counts) = (Stream::new("news", "/news", 1, 0), Counts::default());
        stream.begun.store(10, Ordering::SeqCst);
        Follower::new(&stream, &counts).hear(&message("news", 11));
        assert_eq!(counts.lost.get(), 0);
        Follower::new(&stream, &counts).hear(&message("news", 12));
        assert_eq!(counts.lost.get(), 1);
        Follower::new(&stream, &counts).give_up(11);
        assert_eq!(counts.lost.get(), 2);
    }
}
