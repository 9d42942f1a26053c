//! Rounds of faults: one task of each kind panics, and the log breaks. The work of
//! each task shows whether it goes on.

use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;
use tokio::time::{sleep, timeout};

use super::Load;
use super::client::Heard;
use super::feed::Feed;
use crate::faults::{HANG_UP, STRANGER, Seen};
use crate::log::Log;
use crate::process::Server;
use crate::server::Numbered;

/// The signals on which a client may make its shard panic. Their home shards
/// differ, if there are two shards.
pub(super) const SIGNALS: [&str; 2] = ["/talk", "/short"];

/// Paths whose home shards differ, too.
const PATHS: [&str; 2] = ["/news", "/ticks"];

/// How long anything may take, however busy the server is: longer than the minute
/// after which the schedule fires.
const PATIENCE: Duration = Duration::from_secs(80);

/// How often a condition is checked.
const LOOK: Duration = Duration::from_millis(100);

/// How long the log is not read.
const STALL: Duration = Duration::from_secs(3);

/// The names of the tasks in the log.
const SHARD: &str = "the delivery of messages";
const ACCEPTOR: &str = "the accepting of connections";
const TIMER: &str = "timer `beats`";
const SCHEDULE: &str = "schedule `minutes`";
const UPSTREAM: &str = "upstream `FEED`";
const RENEWAL: &str = "the renewal of certificates";
const WAIT: &str = "the wait for a newer process";
const TASKS: [&str; 7] = [SHARD, ACCEPTOR, TIMER, SCHEDULE, UPSTREAM, RENEWAL, WAIT];

/// The error about a task that does nothing.
const IS_MISSING: &str = "doesn't work any more";

/// A frame that announces more bytes than allowed.
const FRAME_TOO_BIG: &[u8] = b"\x81\xff\0\0\0\0\0\x10\0\0\0\0\0\0";

/// A round of faults in a server.
pub(super) struct Round<'a> {
    pub(super) load: &'a Load,
    pub(super) feed: &'a Feed,
    pub(super) server: &'a Server,
}

impl Round<'_> {
    /// Makes one task of each kind panic, and then the log's reader stall, if there
    /// still is one. The signal on which a client makes its shard panic is one of
    /// [`SIGNALS`].
    ///
    /// # Errors
    ///
    /// The server doesn't answer.
    pub(super) async fn run(&self, signal: &str) -> io::Result<()> {
        let before = self.server.seen().await?;
        self.panic_in_a_shard(signal).await?;
        self.panic_in_an_acceptor().await?;

        let by_itself = async || Ok(());
        self.panic_in(TIMER, TIMER, by_itself).await?;
        self.goes_on(TIMER, |seen| seen.beats, by_itself).await?;

        let say_nonsense = async || {
            self.feed.say_nonsense();
            Ok(())
        };
        self.panic_in(UPSTREAM, "a message is skipped", say_nonsense).await?;
        self.until(UPSTREAM, IS_MISSING, async || Ok(self.hears_the_feed().await)).await?;

        let hang_up = async || self.server.hang_up();
        self.panic_in(RENEWAL, HANG_UP, hang_up).await?;
        self.goes_on(RENEWAL, |seen| seen.hang_ups, hang_up).await?;

        let ask_strangely = async || self.server.ask_strangely().await;
        self.panic_in(WAIT, STRANGER, ask_strangely).await?;
        self.goes_on(WAIT, |seen| seen.strangers, ask_strangely).await?;

        // The next round, or the end of the run, shows whether it goes on.
        self.panic_in(SCHEDULE, SCHEDULE, by_itself).await?;

        match &self.server.log {
            Some(log) => {
                self.judge_panics(log).await?;
                self.stall(log).await?;
            }
            None => {
                self.server.ask("POST", "/fill", "").await?;
                self.load.counts.panics_untold.add(TASKS.len() as u64);
            }
        }
        let after = self.server.seen().await?;
        let (armed, panics) =
            (after.armed_panics - before.armed_panics, after.panics - before.panics);
        if (armed, panics) != (TASKS.len() as u64, armed) {
            self.wrong(format!("the log panicked {armed} times as it should, of {panics}"));
        }
        self.load.counts.rounds.add(1);
        Ok(())
    }

    /// Waits until the schedule fires once more.
    ///
    /// # Errors
    ///
    /// The server doesn't answer.
    pub(super) async fn see_the_schedule(&self) -> io::Result<()> {
        self.goes_on(SCHEDULE, |seen| seen.minutes, async || Ok(())).await
    }

    async fn panic_in_a_shard(&self, signal: &str) -> io::Result<()> {
        let before = PATHS.map(|path| self.load.counts.failed_at(path));
        self.load.shard_panics.fetch_add(1, Ordering::SeqCst);
        let offend = async || {
            if let Some(mut client) = self.load.connect(signal).await {
                client.send_raw(FRAME_TOO_BIG).await;
                // The close code may be 1009 or 1011.
                let _ = timeout(PATIENCE, client.hear()).await;
            }
            Ok(())
        };
        self.panic_in(SHARD, &format!("signal=\"{signal}\""), offend).await?;
        self.until(SHARD, IS_MISSING, async || Ok(self.is_answered(signal).await)).await?;
        self.load.shard_panics.fetch_add(1, Ordering::SeqCst);
        let after = PATHS.map(|path| self.load.counts.failed_at(path));
        let are_told = before.iter().zip(after).all(|(before, after)| *before < after);
        if are_told && self.load.has_shards {
            self.wrong("clients of two shards were told that theirs panicked".to_owned());
        }
        Ok(())
    }

    async fn is_answered(&self, signal: &str) -> bool {
        let Some(mut client) = self.load.connect(signal).await else { return false };
        let said = Numbered { stream: "works".to_owned(), number: 1, filling: String::new() };
        let Ok(json) = serde_json::to_string(&said) else { unreachable!("it is plain data") };
        client.say(json).await;
        let is_answered = matches!(timeout(PATIENCE, client.hear()).await, Ok(Heard::Text(_)));
        client.leave(|_| {}).await;
        is_answered
    }

    /// The connection that is being accepted then is opened here.
    async fn panic_in_an_acceptor(&self) -> io::Result<()> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let armed = format!("connection peer={} ", socket.local_addr()?);
        let mut socket = Some(socket);
        let connect = async || {
            let Some(socket) = socket.take() else { return Ok(()) };
            let mut unlucky = socket.connect((Ipv4Addr::LOCALHOST, self.load.port).into()).await?;
            match timeout(PATIENCE, unlucky.read(&mut [0])).await {
                Ok(Ok(0) | Err(_)) => {}
                end => self.wrong(format!("a connection isn't ended by a panic, but by {end:?}")),
            }
            Ok(())
        };
        // Each request shows whether it works.
        self.panic_in(ACCEPTOR, &armed, connect).await
    }

    async fn hears_the_feed(&self) -> bool {
        let Some(mut client) = self.load.connect("/fed").await else { return false };
        let hears = matches!(timeout(PATIENCE, client.hear()).await, Ok(Heard::Text(_)));
        client.leave(|_| {}).await;
        hears
    }

    /// Makes a task panic where it logs `armed`; calls `provoke` until it
    /// does.
    async fn panic_in(
        &self,
        task: &str,
        armed: &str,
        mut provoke: impl AsyncFnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        let before = self.server.seen().await?.armed_panics;
        self.server.ask("POST", "/arm", armed).await?;
        let panics = async || {
            provoke().await?;
            Ok(self.server.seen().await?.armed_panics > before)
        };
        self.until(task, "doesn't panic", panics).await
    }

    /// Waits until the count `done` of a task has grown; calls `provoke` until
    /// it has.
    async fn goes_on(
        &self,
        task: &str,
        done: impl Fn(Seen) -> u64,
        mut provoke: impl AsyncFnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        let before = done(self.server.seen().await?);
        let goes_on = async || {
            provoke().await?;
            Ok(done(self.server.seen().await?) > before)
        };
        self.until(task, IS_MISSING, goes_on).await
    }

    /// Waits until a condition is true, or records the error `who` `fails`.
    async fn until(
        &self,
        who: &str,
        fails: &str,
        mut is_so: impl AsyncFnMut() -> io::Result<bool>,
    ) -> io::Result<()> {
        let waited = timeout(PATIENCE, async {
            while !is_so().await? {
                sleep(LOOK).await;
            }
            Ok(())
        });
        waited.await.unwrap_or_else(|_| {
            self.wrong(format!("{who} {fails}"));
            Ok(())
        })
    }

    /// Checks that the log reported each panic of the round once.
    async fn judge_panics(&self, log: &Log) -> io::Result<()> {
        self.read_all(log).await?;
        let told = std::mem::take(&mut log.heard().panics);
        let tells_of = |line: &str, task| line.contains(&format!("{task} panicked: "));
        for task in TASKS {
            let times = told.iter().filter(|line| tells_of(line, task)).count();
            if times != 1 {
                self.wrong(format!("{task} panicked once, and the log told it {times} times"));
            }
        }
        for other in told.iter().filter(|line| !TASKS.iter().any(|task| tells_of(line, task))) {
            self.wrong(format!("the log tells of another panic: {other}"));
        }
        self.load.counts.panics_told.add(told.len() as u64);
        Ok(())
    }

    /// Stops reading the log for a while, so that lines are dropped.
    async fn stall(&self, log: &Log) -> io::Result<()> {
        let before = log.heard().missing;
        log.pause(true);
        self.server.ask("POST", "/fill", "").await?;
        sleep(STALL).await;
        log.pause(false);
        let is_told = async || Ok(log.heard().missing > before);
        self.until("the log", "doesn't say what is missing", is_told).await?;
        self.read_all(log).await?;
        self.load.counts.log_missing.add(log.heard().missing - before);
        if let Some(strange) = log.heard().strange.take() {
            self.wrong(format!("the log says {strange:?}"));
        }
        Ok(())
    }

    /// Waits until each logged line was read, or is missing as the log itself
    /// says.
    async fn read_all(&self, log: &Log) -> io::Result<()> {
        let is_all = async || {
            let before = self.server.seen().await?.lines;
            let heard = {
                let heard = log.heard();
                heard.lines + heard.missing
            };
            Ok((before..=self.server.seen().await?.lines).contains(&heard))
        };
        self.until("the log", "has lines that are missing without a word", is_all).await
    }

    fn wrong(&self, what: String) {
        self.load.counts.wrong(what);
    }
}
