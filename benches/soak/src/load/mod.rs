//! The load: clients of many kinds that come and go, and what is published to
//! them.

mod abuses;
mod chance;
mod client;
mod http;
mod stream;
mod visits;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, interval_at, sleep, timeout};

use self::chance::Chance;
use self::client::Client;
use self::http::Http;
use self::stream::Stream;
use crate::arguments::Arguments;
use crate::counts::{Counts, grouped};
use crate::process::{Holdings, Server};

/// How long the server is warmed up at most, by the same load.
const WARM_UP: Duration = Duration::from_secs(30);

/// How long a server may take to forget those who are gone: its longest waits
/// are that for a request, and that for clients which come back after a restart.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(120);

/// By how much memory may differ: by a part, and by bytes, of which the heap
/// has more for reasons of its own than is allocated.
const MEMORY_PART: f64 = 1.2;
const ALLOCATED_BYTES: u64 = 128 << 10;
const MEMORY_BYTES: u64 = 2 << 20;

/// Longer than any run.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

const GROUPS: [&str; 4] = ["red", "green", "blue", "yellow"];

/// What all clients share.
pub(crate) struct Load {
    port: u16,
    counts: Arc<Counts>,
    news: Stream,
    ticks: Stream,
    bulk: Stream,
    teams: Vec<Stream>,
    stop: watch::Receiver<bool>,
}

/// Runs it all; returns whether all is well.
///
/// # Errors
///
/// The server can't be run.
pub(crate) fn run(arguments: &Arguments) -> io::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(soak(arguments))
}

async fn soak(arguments: &Arguments) -> io::Result<bool> {
    let mut server = Server::start().await?;
    let fresh = server.holdings().await?;
    let counts = Arc::new(Counts::default());
    let warm_up = WARM_UP.min(arguments.duration / 2);
    println!("warming up for {warm_up:?}");
    expose(&mut server, arguments.clients, warm_up, 0, &counts).await?;
    if !counts.is_well() {
        println!("{counts}");
        return Ok(false);
    }
    let start = settle(&server, Holdings { heap: u64::MAX, memory: u64::MAX, ..fresh }).await?;

    println!("soaking for {:?}", arguments.duration);
    let counts = Arc::new(Counts::default());
    expose(&mut server, arguments.clients, arguments.duration, arguments.restarts, &counts).await?;
    let with_part = |bytes: u64| (bytes as f64 * MEMORY_PART) as u64;
    let most = Holdings {
        heap: with_part(start.heap) + ALLOCATED_BYTES,
        // A process that has taken over kept messages for a while, and the heap
        // keeps their memory for later use.
        memory: if arguments.restarts == 0 {
            with_part(start.memory) + MEMORY_BYTES
        } else {
            u64::MAX
        },
        ..start
    };
    let end = settle(&server, most).await?;
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

/// Waits until the server holds no more than this, and returns what it holds; or
/// what it still does when that takes too long.
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

/// Exposes a server to so many clients for so long, and replaces it so often.
async fn expose(
    server: &mut Server,
    clients: usize,
    duration: Duration,
    restarts: u32,
    counts: &Arc<Counts>,
) -> io::Result<()> {
    let (stop, stopped) = watch::channel(false);
    let (stop_publishing, publishing_stopped) = watch::channel(false);
    let load = Arc::new(Load::new(server.port, counts, stopped));

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
    let mut restart =
        interval_at(Instant::now() + duration / (restarts + 1), duration / (restarts + 1));
    let mut left = restarts;
    let mut report = interval(Duration::from_secs(60));
    report.tick().await;
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(until) => break,
            _ = restart.tick(), if left > 0 => {
                replace(server).await?;
                left -= 1;
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
    // Who follows a stream waits for its last message, so clients go first.
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

/// Has another process take over.
async fn replace(server: &mut Server) -> io::Result<()> {
    let successor = Server::start().await?;
    if successor.port != server.port {
        return Err(io::Error::other("the second process did not take over from the first"));
    }
    std::mem::replace(server, successor).end().await
}

/// What a client does whenever it comes.
#[derive(Clone, Copy, Debug)]
enum Kind {
    News,
    Ticks,
    Team(usize),
    /// Listens from start to end.
    Stays,
    Talks,
    Slow,
    ReadsNothing,
    Resets,
    HalfOpen,
    Silent,
    BreaksRules,
    Asks,
}

/// Shares the clients out.
fn kinds(clients: usize) -> Vec<Kind> {
    let shares = [
        (Kind::News, 0.36),
        (Kind::Ticks, 0.2),
        (Kind::Team(0), 0.06),
        (Kind::Team(1), 0.06),
        (Kind::Team(2), 0.06),
        (Kind::Team(3), 0.06),
        (Kind::Stays, 0.06),
        (Kind::Talks, 0.06),
        (Kind::Slow, 0.01),
        (Kind::ReadsNothing, 0.005),
        (Kind::Resets, 0.02),
        (Kind::HalfOpen, 0.01),
        (Kind::Silent, 0.01),
        (Kind::BreaksRules, 0.01),
        (Kind::Asks, 0.01),
    ];
    // At least one of each.
    let count = |share: f64| (clients as f64 * share).ceil() as usize;
    shares.into_iter().flat_map(|(kind, share)| vec![kind; count(share)]).collect()
}

/// Comes as one kind of client and goes, again and again.
async fn come_and_go(load: Arc<Load>, kind: Kind, number: usize) {
    let mut chance = Chance::new(number as u64);
    // Not all in the same moment.
    sleep(Duration::from_millis(chance.below(2_000))).await;
    while !load.is_stopped() {
        let stay = Duration::from_millis(500 + chance.below(15_000));
        match kind {
            Kind::News => visits::follow(&load, &load.news, "/news", stay).await,
            Kind::Ticks => visits::follow(&load, &load.ticks, "/ticks", stay).await,
            Kind::Stays => visits::follow(&load, &load.news, "/news", FOREVER).await,
            Kind::Team(team) => {
                let path = format!("/team?group={}", GROUPS[team]);
                visits::follow(&load, &load.teams[team], &path, stay).await;
            }
            Kind::Talks => visits::talk(&load, stay, &mut chance).await,
            Kind::Slow => visits::read_slowly(&load, &load.bulk, "/bulk").await,
            Kind::ReadsNothing => abuses::read_nothing(&load, "/bulk").await,
            Kind::Resets => abuses::reset_somewhere(&load, &mut chance).await,
            Kind::HalfOpen => abuses::stay_half_open(&load, &mut chance).await,
            Kind::Silent => abuses::stay_silent(&load).await,
            Kind::BreaksRules => abuses::break_a_rule(&load, &mut chance).await,
            Kind::Asks => ask(&load, &mut chance).await,
        }
        sleep(Duration::from_millis(chance.below(300))).await;
    }
}

/// Makes some requests by one connection.
async fn ask(load: &Load, chance: &mut Chance) {
    let mut http = Http::new(load.port);
    for _ in 0..chance.below(20) {
        let (path, expected) = if chance.below(4) == 0 { ("/nothing", 404) } else { ("/", 200) };
        let status = match http.get(path).await {
            Ok(status) => status,
            // The connection was ended before the request came.
            Err(_) => http.get(path).await.unwrap_or_default(),
        };
        if status == expected {
            load.counts.requests.add(1);
        } else {
            load.counts.wrong(format!("{path} was answered by {status}"));
        }
        sleep(Duration::from_millis(chance.below(100))).await;
    }
}

impl Load {
    fn new(port: u16, counts: &Arc<Counts>, stop: watch::Receiver<bool>) -> Load {
        Load {
            port,
            counts: Arc::clone(counts),
            news: Stream::new("news", "/news", 100, 100),
            ticks: Stream::new("ticks", "/ticks", 50, 1_000),
            bulk: Stream::new("bulk", "/bulk", 60, 60_000),
            teams: GROUPS.map(|name| Stream::new(name, format!("/team/{name}"), 25, 100)).into(),
            stop,
        }
    }

    fn streams(&self) -> impl Iterator<Item = &Stream> {
        [&self.news, &self.ticks, &self.bulk].into_iter().chain(&self.teams)
    }

    fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits until all are to go.
    async fn stopped(&self) {
        // An error says that nobody is left to tell.
        let _ = self.stop.clone().wait_for(|stop| *stop).await;
    }

    /// Connects, or says what is wrong.
    async fn connect(&self, path: &str) -> Option<Client> {
        self.note_connected(Client::connect(self.port, path).await)
    }

    /// The same with a small buffer.
    async fn connect_narrow(&self, path: &str) -> Option<Client> {
        self.note_connected(Client::connect_narrow(self.port, path).await)
    }

    fn note_connected(&self, client: Result<Client, String>) -> Option<Client> {
        match client {
            Ok(client) => {
                self.counts.connected.add(1);
                Some(client)
            }
            Err(wrong) => {
                self.counts.wrong(wrong);
                None
            }
        }
    }

    /// Notes how a goodbye was answered; that of the server may have come first.
    fn note_goodbye(&self, code: Option<u16>) {
        match code {
            Some(1000 | 1012) => self.counts.left.add(1),
            answer => self.counts.wrong(format!("a goodbye was answered by {answer:?}")),
        }
    }
}
