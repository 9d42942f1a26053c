//! The load: clients of many kinds that come and go, and the messages that are
//! published to them.

mod abuses;
mod client;
mod faults;
mod feed;
mod hoard;
mod http;
mod kinds;
mod requests;
mod stream;
mod visits;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep, timeout};

use self::client::Client;
use self::faults::{Round, SIGNALS};
use self::feed::Feed;
use self::kinds::{come_and_go, kinds};
use self::stream::Stream;
use crate::arguments::Arguments;
use crate::counts::{Counts, grouped};
use crate::process::{Holdings, Server};
use crate::server::workers;

/// The longest warm-up of the server, by the same load.
const WARM_UP: Duration = Duration::from_secs(30);

/// How long a server may take to free the resources of gone clients: its longest
/// waits are for a request, and for clients that reconnect after a restart.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(120);

/// How much memory may grow: by a factor, and by bytes. The process may grow
/// more than the allocated bytes, since the heap has its own overhead.
const MEMORY_PART: f64 = 1.2;
const ALLOCATED_BYTES: u64 = 128 << 10;
const MEMORY_BYTES: u64 = 2 << 20;

/// How much more it may grow where the log breaks: a mebibyte of lines waits
/// while another is being written, and the heaps of the threads that log may keep
/// as much for later.
const LOG_BYTES: u64 = 4 << 20;

/// How much more it may grow for each worker after a restart: it kept messages for
/// clients that resume, at most 8 MiB of `/bulk` and here as much of all others,
/// and the heap of each worker may keep that memory for later use.
const KEPT_BYTES: u64 = 16 << 20;

/// Longer than any run.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// The shard of a client has panicked.
const FAILED: u16 = 1011;

/// How long a client waits for one of few places, and how often it looks.
const PLACE_TIMEOUT: Duration = Duration::from_secs(60);
const PLACE_LOOK: Duration = Duration::from_millis(100);

const GROUPS: [&str; 4] = ["red", "green", "blue", "yellow"];

/// The state that all clients share.
pub(crate) struct Load {
    port: u16,
    secure_port: u16,
    counts: Arc<Counts>,
    news: Stream,
    ticks: Stream,
    bulk: Stream,
    teams: Vec<Stream>,
    stop: watch::Receiver<bool>,
    /// Odd while a shard is to panic; incremented at the begin and the end.
    shard_panics: AtomicU64,
    /// Whether the server has several shards, each with its own paths.
    has_shards: bool,
}

/// Runs the whole soak; returns whether it passed.
///
/// # Errors
///
/// The server can't be run.
pub(crate) fn run(arguments: &Arguments) -> io::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(soak(arguments))
}

async fn soak(arguments: &Arguments) -> io::Result<bool> {
    let feed = if arguments.faults > 0 { Some(Feed::start().await?) } else { None };
    let mut server = Server::start(feed.as_ref().map(|feed| feed.port)).await?;
    if let Some(feed) = &feed {
        feed.connected().await;
    }
    let fresh = server.holdings().await?;
    let counts = Arc::new(Counts::default());
    let warm_up = Arguments {
        duration: WARM_UP.min(arguments.duration / 2),
        restarts: 0,
        faults: arguments.faults.min(1),
        ..*arguments
    };
    println!("warming up for {:?}", warm_up.duration);
    expose(&mut server, &warm_up, feed.as_ref(), false, &counts).await?;
    if !counts.is_well() {
        println!("{counts}");
        return Ok(false);
    }
    let start = settle(&server, Holdings { heap: u64::MAX, memory: u64::MAX, ..fresh }).await?;

    println!("soaking for {:?}", arguments.duration);
    let counts = Arc::new(Counts::default());
    expose(&mut server, arguments, feed.as_ref(), true, &counts).await?;
    let with_part = |bytes: u64| (bytes as f64 * MEMORY_PART) as u64;
    let most = Holdings {
        heap: with_part(start.heap) + ALLOCATED_BYTES,
        memory: with_part(start.memory)
            + MEMORY_BYTES
            + if arguments.faults > 0 { LOG_BYTES } else { 0 }
            + if arguments.restarts > 0 { KEPT_BYTES * workers() as u64 } else { 0 },
        ..start
    };
    let end = settle(&server, most).await?;
    let clients = server.clients().await?;
    if clients > 0 {
        counts.wrong(format!("{clients} clients are counted that have gone"));
    }
    counts.judge_blocks();
    server.stop().await?;

    print!("\n{counts}");
    for (when, Holdings { heap, memory, descriptors }) in [("at start", start), ("at end", end)] {
        println!("{:32} {:>14}  bytes", format!("allocated {when}"), grouped(heap));
        println!("{:32} {:>14}  bytes", format!("memory {when}"), grouped(memory));
        println!("{:32} {:>14}", format!("descriptors {when}"), grouped(descriptors as u64));
    }
    let mut is_well = counts.is_well();
    if end.descriptors > start.descriptors {
        println!("descriptors are not back to what they were");
        is_well = false;
    }
    if end.heap > most.heap || end.memory > most.memory {
        println!("memory is not back to what it was");
        is_well = false;
    }
    println!("{}", if is_well { "all is well" } else { "NOT all is well" });
    Ok(is_well)
}

/// Waits until the server holds no more than this, at most for
/// [`SETTLE_TIMEOUT`], and returns what it holds then.
async fn settle(server: &Server, most: Holdings) -> io::Result<Holdings> {
    let settled = timeout(SETTLE_TIMEOUT, async {
        loop {
            let now = server.holdings().await?;
            if now.descriptors <= most.descriptors
                && now.heap <= most.heap
                && now.memory <= most.memory
            {
                return Ok(now);
            }
            sleep(Duration::from_millis(200)).await;
        }
    });
    match settled.await {
        Ok(settled) => settled,
        Err(_) => server.holdings().await,
    }
}

/// Exposes a server to clients for a while, causes faults in it and replaces it
/// by other processes; closes its log at the last fault if `closes_log`.
async fn expose(
    server: &mut Server,
    arguments: &Arguments,
    feed: Option<&Feed>,
    closes_log: bool,
    counts: &Arc<Counts>,
) -> io::Result<()> {
    let &Arguments { duration, restarts, faults, clients } = arguments;
    let (stop, stopped) = watch::channel(false);
    let (stop_publishing, publishing_stopped) = watch::channel(false);
    let load = Arc::new(Load::new([server.port, server.secure_port], clients, counts, stopped));

    let mut publishers = JoinSet::new();
    for number in 0..load.streams().count() {
        let (load, stop) = (Arc::clone(&load), publishing_stopped.clone());
        publishers.spawn(async move {
            let Some(stream) = load.streams().nth(number) else { return };
            stream.publish(load.port, &load.counts, stop).await;
        });
    }
    let mut crowd = JoinSet::new();
    for (number, kind) in kinds(clients).into_iter().enumerate() {
        crowd.spawn(come_and_go(Arc::clone(&load), kind, number));
    }

    let until = Instant::now() + duration;
    let evenly = |times: u32| {
        let pause = duration / (times + 1);
        interval_at(Instant::now() + pause, pause)
    };
    let (mut restart, mut fault) = (evenly(restarts), evenly(faults));
    let (mut restarts_left, mut faults_left) = (restarts, faults);
    let mut report = interval(Duration::from_secs(60));
    report.set_missed_tick_behavior(MissedTickBehavior::Skip);
    report.tick().await;
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(until), if faults_left == 0 => break,
            _ = restart.tick(), if restarts_left > 0 => {
                replace(server, feed).await?;
                restarts_left -= 1;
            }
            _ = fault.tick(), if faults_left > 0 => {
                faults_left -= 1;
                let Some(feed) = feed else { unreachable!("there is one if there are faults") };
                let closes_log = closes_log && faults_left == 0;
                if let Some(log) = server.log.take_if(|_| closes_log) {
                    log.close().await;
                }
                let round = Round { load: &load, feed, server };
                round.run(SIGNALS[faults_left as usize % SIGNALS.len()]).await?;
                if closes_log {
                    round.see_the_schedule().await?;
                }
            }
            _ = report.tick() => {
                let Holdings { memory, descriptors, .. } = server.holdings().await?;
                let (received, lost) = (grouped(counts.received.get()), counts.lost.get());
                println!(
                    "{received} received, {lost} lost; {} bytes, {descriptors} descriptors",
                    grouped(memory)
                );
            }
        }
    }
    // A follower waits for the last message of its stream, so clients stop first.
    let _ = stop.send(true);
    while let Some(ended) = crowd.join_next().await {
        ended.map_err(io::Error::other)?;
    }
    let _ = stop_publishing.send(true);
    while let Some(ended) = publishers.join_next().await {
        ended.map_err(io::Error::other)?;
    }
    Ok(())
}

/// Starts another process, which takes over.
async fn replace(server: &mut Server, feed: Option<&Feed>) -> io::Result<()> {
    let successor = Server::start(feed.map(|feed| feed.port)).await?;
    let ports = |server: &Server| [server.port, server.secure_port];
    if ports(&successor) != ports(server) {
        return Err(io::Error::other("the second process did not take over from the first"));
    }
    std::mem::replace(server, successor).end().await
}

impl Load {
    fn new(
        [port, secure_port]: [u16; 2],
        clients: usize,
        counts: &Arc<Counts>,
        stop: watch::Receiver<bool>,
    ) -> Load {
        // Clients of a path share one shard unless it has more than a thousand.
        let has_shards = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1)
            && clients < 2_000;
        Load {
            port,
            secure_port,
            counts: Arc::clone(counts),
            news: Stream::new("news", "/news", 100, 100),
            ticks: Stream::new("ticks", "/ticks", 50, 1_000),
            bulk: Stream::new("bulk", "/bulk", 60, 60_000),
            teams: GROUPS.map(|name| Stream::new(name, format!("/team/{name}"), 25, 100)).into(),
            stop,
            shard_panics: AtomicU64::new(0),
            has_shards,
        }
    }

    fn streams(&self) -> impl Iterator<Item = &Stream> {
        [&self.news, &self.ticks, &self.bulk].into_iter().chain(&self.teams)
    }

    fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits until the clients are told to stop.
    async fn stopped(&self) {
        // An error means that the sender is gone, which is a stop, too.
        let _ = self.stop.clone().wait_for(|stop| *stop).await;
    }

    /// Connects, or says what is wrong.
    async fn connect(&self, path: &str) -> Option<Client> {
        let now = self.shard_panics.load(Ordering::SeqCst);
        self.note_connected(Client::connect(self.port, path).await, now)
    }

    /// The same with a small buffer.
    async fn connect_narrow(&self, path: &str) -> Option<Client> {
        let now = self.shard_panics.load(Ordering::SeqCst);
        self.note_connected(Client::connect_narrow(self.port, path).await, now)
    }

    /// Connects to a path with few places as soon as one is free.
    async fn find_place(&self, path: &str) -> Option<Client> {
        let until = Instant::now() + PLACE_TIMEOUT;
        while !self.is_stopped() {
            let now = self.shard_panics.load(Ordering::SeqCst);
            match Client::connect(self.port, path).await {
                Err(wrong) if wrong.ends_with("503 Service Unavailable") => {}
                found => return self.note_connected(found, now),
            }
            self.counts.refused.add(1);
            if Instant::now() > until {
                self.counts.wrong(format!("no place at {path} becomes free"));
                return None;
            }
            sleep(PLACE_LOOK).await;
        }
        None
    }

    fn note_connected(&self, client: Result<Client, String>, came_at: u64) -> Option<Client> {
        match client {
            Ok(mut client) => {
                self.counts.connected.add(1);
                client.came_at = came_at;
                Some(client)
            }
            Err(wrong) => {
                self.counts.wrong(wrong);
                None
            }
        }
    }

    /// Records that a client was closed since its shard panicked. It is an error if
    /// no shard panicked while the client was connected.
    fn note_failed(&self, path: &str, came_at: u64) {
        let is_right = came_at % 2 == 1 || came_at < self.shard_panics.load(Ordering::SeqCst);
        match is_right {
            true => self.counts.failed(path.split('?').next().unwrap_or_default()),
            false => self.counts.wrong(format!("a client of {path} was told by {FAILED}")),
        }
    }

    /// Sends a close frame, and records the answer; the server's close frame may
    /// have come first. Passes messages that come before the answer to `text`.
    async fn take_leave(&self, path: &str, client: Client, text: impl FnMut(&str)) {
        let came_at = client.came_at;
        match client.leave(text).await {
            Some(1000 | 1012) => self.counts.left.add(1),
            Some(FAILED) => self.note_failed(path, came_at),
            answer => self.counts.wrong(format!("a goodbye was answered by {answer:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_of_a_panic_by_which_they_were_there() {
        let counts = Arc::new(Counts::default());
        let load = Load::new([0, 0], 1, &counts, watch::channel(false).1);
        load.shard_panics.store(1, Ordering::SeqCst);
        load.note_failed("/news", 0);
        load.note_failed("/team?group=red", 1);
        load.shard_panics.store(2, Ordering::SeqCst);
        load.note_failed("/news", 1);
        assert!(counts.is_well());
        assert_eq!((counts.failed_at("/news"), counts.failed_at("/team")), (2, 1));
        load.note_failed("/news", 2);
        assert!(!counts.is_well());
        assert_eq!(counts.failed_at("/news"), 2);
    }
}
