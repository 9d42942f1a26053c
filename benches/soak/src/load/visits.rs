//! Clients that keep up: they listen, are members of groups, or talk.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::client::{Client, GOODBYE_TIMEOUT, Heard};
use super::stream::{Follower, Stream};
use super::{FAILED, Load};
use crate::dice::Dice;
use crate::server::Numbered;

/// The server hands over to another process.
const RESTARTING: u16 = 1012;
/// The client reads too slowly.
const TOO_SLOW: u16 = 1013;

/// One client that follows a stream.
struct Visit<'a> {
    load: &'a Load,
    path: String,
    client: Client,
    follower: Follower<'a>,
}

/// Follows a stream for a while, and closes normally.
pub(super) async fn follow(load: &Load, stream: &Stream, path: &str, stay: Duration) {
    let Some(client) = load.connect(path).await else { return };
    let follower = Follower::new(stream, &load.counts);
    let mut visit = Visit { load, path: path.to_owned(), client, follower };
    let until = Instant::now() + stay;
    loop {
        tokio::select! {
            heard = visit.client.hear() => if !visit.take(heard).await { return },
            () = sleep_until(until) => break,
            () = load.stopped() => break,
        }
    }
    // Messages that were published by now must reach it, or are lost.
    let last = stream.answered();
    let rest = timeout(GOODBYE_TIMEOUT, async {
        while !visit.follower.has(last) {
            let heard = visit.client.hear().await;
            if !visit.take(heard).await {
                return false;
            }
        }
        true
    });
    match rest.await {
        Ok(true) => {}
        Ok(false) => return,
        Err(_) => visit.follower.give_up(last),
    }
    let Visit { path, client, mut follower, .. } = visit;
    load.take_leave(&path, client, |text| follower.hear(text)).await;
}

impl Visit<'_> {
    /// Handles what was received; false if that was the end.
    async fn take(&mut self, heard: Heard) -> bool {
        match heard {
            Heard::Text(text) => {
                self.follower.hear(&text);
                true
            }
            Heard::Close(Some(RESTARTING), reason) => self.resume(&reason).await,
            Heard::Close(Some(FAILED), _) => {
                self.load.note_failed(&self.path, self.client.came_at);
                false
            }
            Heard::Close(code, _) => {
                self.load.counts.told(code.unwrap_or_default());
                false
            }
            Heard::Nothing => {
                self.load.counts.wrong("a client that kept up was dropped without a word");
                false
            }
        }
    }

    /// Reconnects to another process, at the position of this one.
    async fn resume(&mut self, reason: &str) -> bool {
        let Some(path) = resumed(&self.path, reason) else {
            self.load.counts.wrong(format!("a restart was told by {reason:?}"));
            return false;
        };
        let Some(client) = self.load.connect(&path).await else { return false };
        self.client = client;
        self.load.counts.resumed.add(1);
        true
    }
}

/// The path with which a client resumes, from the reason of its close frame:
/// `restarting; resume=POSITION`.
fn resumed(path: &str, reason: &str) -> Option<String> {
    let (_, position) = reason.split_once("resume=")?;
    let separator = if path.contains('?') { '&' } else { '?' };
    Some(format!("{path}{separator}resume={position}"))
}

/// How many messages of a talker may be unanswered.
const AT_ONCE: u64 = 10;

/// Talks for a while: every message comes back, in order.
pub(super) async fn talk(load: &Load, stay: Duration, dice: &mut Dice) {
    let Some(mut client) = load.connect("/talk").await else { return };
    let until = Instant::now() + stay;
    let filling = "x".repeat(dice.below(500) as usize);
    let mut number = 0;
    while Instant::now() < until && !load.is_stopped() {
        for ahead in 1..=AT_ONCE {
            let number = number + ahead;
            let said = Numbered { stream: "talk".to_owned(), number, filling: filling.clone() };
            let Ok(json) = serde_json::to_string(&said) else { unreachable!("it is plain data") };
            // The answer shows whether it reached the server.
            client.say(json).await;
            load.counts.said.add(1);
        }
        for _ in 0..AT_ONCE {
            let heard = timeout(GOODBYE_TIMEOUT, client.hear()).await;
            match heard {
                Ok(Heard::Text(text)) => {
                    number += 1;
                    let answer = serde_json::from_str::<Numbered>(&text);
                    if answer.is_ok_and(|answer| answer.number == number) {
                        load.counts.answered.add(1);
                    } else {
                        load.counts.wrong("an answer that nobody waits for");
                    }
                }
                // It may send its unanswered messages again.
                Ok(Heard::Close(Some(RESTARTING), _)) => return load.counts.told(RESTARTING),
                Ok(Heard::Close(Some(FAILED), _)) => {
                    return load.note_failed("/talk", client.came_at);
                }
                Ok(heard) => return load.counts.wrong(format!("no answer, but {heard:?}")),
                Err(_) => return load.counts.wrong("no answer"),
            }
        }
        sleep(Duration::from_millis(50 + dice.below(100))).await;
    }
    load.take_leave("/talk", client, |_| load.counts.wrong("a second answer")).await;
}

/// How long a slow reader reads nothing: longer than it takes to be
/// disconnected, shorter than the server waits for its close frame to be read.
const PAUSE: Duration = Duration::from_secs(4);

/// Reads nothing for a while, so that it is disconnected; then reads the close
/// code. Up to there, no message is missing.
pub(super) async fn read_slowly(load: &Load, stream: &Stream, path: &str) {
    let Some(mut client) = load.connect_narrow(path).await else { return };
    let mut follower = Follower::new(stream, &load.counts);
    sleep(PAUSE).await;
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let heard = tokio::select! {
            heard = client.hear() => heard,
            () = sleep_until(until) => break,
        };
        match heard {
            Heard::Text(text) => follower.hear(&text),
            Heard::Close(Some(TOO_SLOW), _) => return load.counts.slow_told.add(1),
            Heard::Close(Some(RESTARTING), _) => return load.counts.told(RESTARTING),
            Heard::Close(Some(FAILED), _) => return load.note_failed(path, client.came_at),
            heard => return load.counts.wrong(format!("a slow client was told {heard:?}")),
        }
    }
    load.counts.slow_that_kept_up.add(1);
    load.take_leave(path, client, |text| follower.hear(text)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_goes_on_where_it_stood() {
        let reason = "restarting; resume=7-123";
        assert_eq!(resumed("/news", reason).as_deref(), Some("/news?resume=7-123"));
        let path = resumed("/team?group=red", reason);
        assert_eq!(path.as_deref(), Some("/team?group=red&resume=7-123"));
        assert_eq!(resumed("/news", "restarting"), None);
    }
}
