//! One seed: starts everything, lets the faults happen, and has the record checked when all
//! is well again.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::cmd;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::check::check;
use crate::child::request;
use crate::client::ChaosClient;
use crate::dice::Dice;
use crate::plan::{NODES, Plan};
use crate::present::Present;
use crate::process::Node;
use crate::proxy::Proxy;
use crate::record::{At, Life, Outcome, Record, Send, Struck, Term, number_of};
use crate::settle::settle;
use crate::store::{PREFIX, Store, ask_at, terms_at};
use crate::victims::Victims;

/// How long everything has after its last fault, before it is given up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A machine where half of this takes longer than this is too busy.
const BUSY: Duration = Duration::from_millis(400);

pub(crate) const ROOMS: u64 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Clients move, and faults happen.
    Running,
    /// Clients stay, and messages are sent.
    Settled,
    /// Nothing is sent but the last messages.
    Quiet,
    Over,
}

/// Where a node is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) life: Life,
    pub(crate) port: u16,
    pub(crate) http_port: u16,
}

/// What clients, publishers and faults share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) begun: Instant,
    pub(crate) phase: watch::Sender<Phase>,
    pub(crate) places: Vec<watch::Sender<Option<Place>>>,
    /// Those that are stopped by a signal.
    pub(crate) stopped: Vec<watch::Sender<bool>>,
    /// Where the Redis is that counts.
    pub(crate) socket: watch::Sender<PathBuf>,
    pub(crate) record: StdMutex<Record>,
    pub(crate) log: StdMutex<File>,
}

pub(crate) fn lock<T>(mutex: &StdMutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// Milliseconds since it began.
    pub(crate) fn now(&self) -> At {
        self.begun.elapsed().as_millis() as At
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    pub(crate) fn phases(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    pub(crate) fn place(&self, node: usize) -> Option<Place> {
        self.places[node].borrow().clone()
    }

    pub(crate) fn wrong(&self, what: String) {
        self.log(&format!("WRONG: {what}"));
        lock(&self.record).wrong.push(what);
    }

    pub(crate) fn log(&self, what: &str) {
        let now = self.now();
        let _ = writeln!(lock(&self.log), "{:>3}.{:03} {what}", now / 1000, now % 1000);
    }

    /// Whether a node is in order; `None` if it doesn't answer.
    pub(crate) async fn is_ready(&self, place: &Place) -> Option<bool> {
        let asking = request(place.http_port, "GET", "/_pode/ready", "");
        let (status, _) = timeout(Duration::from_secs(2), asking).await.ok()?.ok()?;
        Some(status == 200)
    }

    pub(crate) async fn all_are_ready(&self) {
        for node in 0..NODES {
            loop {
                if let Some(place) = self.place(node)
                    && self.is_ready(&place).await == Some(true)
                {
                    break;
                }
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// Returns who is present at a path, as a node says.
    pub(crate) async fn present(&self, node: usize, path: &str) -> Option<Present> {
        let (place, path) = (self.place(node)?, format!("/present{path}"));
        let asked = request(place.http_port, "GET", &path, "");
        let (_, body) = timeout(PATIENCE, asked).await.ok()?.ok()?;
        serde_json::from_str(&body).ok()
    }

    /// Returns what became of a message.
    pub(crate) async fn send(&self, place: &Place, path: &str, text: String) -> Outcome {
        let at = self.now();
        let sent = request(place.http_port, "POST", &format!("/send{path}"), &text).await;
        let outcome = match sent {
            Ok((200, _)) => Outcome::Sent,
            Ok((503, _)) => Outcome::NotSent,
            Ok((504, _)) | Err(_) => Outcome::Unknown,
            Ok((status, _)) => {
                self.wrong(format!("{} answers {status} to {text}", place.life));
                Outcome::Unknown
            }
        };
        let (life, path) = (place.life.clone(), path.to_owned());
        lock(&self.record).sends.push(Send { at, life, path, text, outcome });
        outcome
    }

    /// Sends one message after the other at a node, by whatever process that is.
    async fn publish(self: Arc<World>, node: usize, which: u64) {
        let mut dice = Dice::new(self.seed, 1000 + 10 * node as u64 + which);
        let path = if which < 2 { "/news".to_owned() } else { format!("/rooms/{node}") };
        let mut places = self.places[node].subscribe();
        let (mut counter, mut last, mut burst) = (0, Life::new(), 0);
        while self.phase() < Phase::Quiet {
            let Some(place) = places.borrow_and_update().clone() else {
                // The sender lives as long as the world.
                let _ = timeout(Duration::from_millis(500), places.changed()).await;
                continue;
            };
            if place.life != last {
                (counter, last) = (0, place.life.clone());
            }
            self.send(&place, &path, format!("sent.{}.{which}:{counter}", place.life)).await;
            counter += 1;
            if burst == 0 {
                burst = if dice.below(20) == 0 { 30 } else { 0 };
                sleep(Duration::from_millis(dice.between(50, 300))).await;
            } else {
                burst -= 1;
            }
        }
    }

    /// Notes the terms that begin in Redis.
    async fn watch_terms(self: Arc<World>, rooms: HashMap<String, String>) {
        loop {
            let socket = self.socket.borrow().clone();
            let terms = timeout(Duration::from_secs(2), terms_at(&socket)).await;
            for written in terms.into_iter().flatten().flatten() {
                let head = |key: &str| written.heads.get(key).map_or(0, |id| number_of(id));
                let heads = ["/news", "/chat"]
                    .into_iter()
                    .map(|path| (path.to_owned(), head(&format!("{PREFIX}stream:{path}"))));
                let heads = heads.chain(rooms.iter().map(|(room, key)| (room.clone(), head(key))));
                let first = number_of(&format!("{}-1", written.term));
                let term = Term { first, epoch: written.epoch, heads: heads.collect() };
                let mut record = lock(&self.record);
                if !record.terms.contains(&term) {
                    record.terms.push(term.clone());
                    drop(record);
                    self.log(&format!("term {} is there: {term:?}", written.term));
                }
            }
            sleep(Duration::from_millis(150)).await;
        }
    }
}

/// Notes when the machine is too busy for what has to happen in time.
async fn watch_load(world: Arc<World>) {
    loop {
        let from = world.now();
        sleep(BUSY / 2).await;
        let to = world.now();
        if to - from > BUSY.as_millis() as At {
            lock(&world.record).faults.push(Struck { node: None, from, to });
        }
    }
}

/// Runs a seed; returns what was violated.
///
/// # Errors
///
/// A process can't be started, or a thing that isn't the server's goes wrong.
pub(crate) async fn run(
    seed: u64,
    plan: Plan,
    clients: (usize, usize),
    folder: &Path,
) -> io::Result<Vec<String>> {
    let log = File::create(folder.join("chaos.log"))?;
    let store = Store::start(folder, plan.variant).await?;
    let world = Arc::new(World {
        seed,
        begun: Instant::now(),
        phase: watch::Sender::new(Phase::Running),
        places: (0..NODES).map(|_| watch::Sender::default()).collect(),
        stopped: (0..NODES).map(|_| watch::Sender::default()).collect(),
        socket: watch::Sender::new(store.primary.socket()),
        record: StdMutex::default(),
        log: StdMutex::new(log),
    });
    world.log(&format!("{plan:#?}"));
    let (mut nodes, mut proxies) = (Vec::new(), Vec::new());
    for slot in 0..NODES {
        let proxy = Proxy::start(store.primary.socket()).await?;
        let mut node = Node {
            slot,
            lives: 0,
            world: Arc::clone(&world),
            folder: folder.to_owned(),
            redis_port: proxy.port,
            process: None,
        };
        node.begin().await?;
        nodes.push(Mutex::new(node));
        proxies.push(proxy);
    }
    let victims =
        Victims { world: Arc::clone(&world), plan, nodes, store: Mutex::new(store), proxies };
    let well = timeout(PATIENCE, world.all_are_ready()).await;
    well.map_err(|_| io::Error::other("the nodes aren't ready at the start"))?;

    let mut tasks = JoinSet::new();
    tasks.spawn(Arc::clone(&world).watch_terms(rooms(&world).await?));
    tasks.spawn(watch_load(Arc::clone(&world)));
    let (v1, plain) = clients;
    let mut heard = Vec::new();
    let mut running = JoinSet::new();
    for index in 0..v1 + plain {
        let path = match index {
            _ if index >= v1 => "/news".to_owned(),
            _ if index % 10 < 4 => "/news".to_owned(),
            _ if index % 10 < 8 => "/chat".to_owned(),
            _ => format!("/rooms/{}", (index / 2) as u64 % ROOMS),
        };
        let (is_plain, attends) = (index >= v1, path != "/news" && index % 2 == 0);
        let client = ChaosClient::new(&world, format!("c{index}"), &path, is_plain, attends);
        heard.push(client.heard());
        running.spawn(client.run());
    }
    // What is sent before is delivered to nobody.
    let all_are_there = async {
        while heard.iter().any(|heard| lock(heard).trace.events.is_empty()) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let there = timeout(PATIENCE, all_are_there).await;
    there.map_err(|_| io::Error::other("some clients don't come at the start"))?;
    let mut publishers = JoinSet::new();
    for node in 0..NODES {
        for which in 0..3 {
            publishers.spawn(Arc::clone(&world).publish(node, which));
        }
    }
    sleep(Duration::from_secs(4)).await;
    let memory = victims.memory().await;
    let sent_before = lock(&world.record).sends.len();
    let fires_from = world.now();

    let lanes = victims.plan.lanes.iter().map(|lane| victims.run_lane(lane));
    futures_util::future::try_join_all(lanes).await?;
    world.log("the last fault is over");
    settle(&world, &heard, &mut publishers).await;

    let handled = lock(&world.record).handled.len() as u64;
    let sent = (lock(&world.record).sends.len() - sent_before) as u64 + handled;
    // What is kept of what was sent is no leak: a message takes some 500 bytes.
    let allowed = memory + memory / 5 + sent * 500 + (1 << 20);
    let after = victims.memory().await;
    world.log(&format!("memory: {memory} bytes, then {after}, of {allowed}"));
    if after > allowed {
        world.wrong(format!("a node has {after} bytes of memory, and the most was {memory}"));
    }

    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
    {
        let (mut record, now) = (lock(&world.record), world.now());
        record.begun_ms = since_1970.as_millis() as u64 - now;
        record.fires = (fires_from, now);
    }
    world.phase.send_replace(Phase::Over);
    while running.join_next().await.is_some() {}
    tasks.shutdown().await;
    for node in &victims.nodes {
        node.lock().await.stop().await;
    }
    for node in 0..NODES {
        let log = fs::read_to_string(folder.join(format!("node-{node}.log")))?;
        if let Some(line) = log.lines().find(|line| line.contains("panicked")) {
            world.wrong(format!("n{node}: {line}"));
        }
    }
    drop(victims);
    let mut record = std::mem::take(&mut *lock(&world.record));
    for heard in heard {
        let Some(heard) = Arc::into_inner(heard) else { continue };
        record.clients.push(heard.into_inner().unwrap_or_else(PoisonError::into_inner).trace);
    }
    write_down(&record, File::create(folder.join("record.txt"))?)?;
    let found = check(&record);
    for what in &found {
        world.log(&format!("WRONG: {what}"));
    }
    Ok(record.wrong.into_iter().chain(found).collect())
}

/// Writes down what was seen, for whoever looks for the reason.
fn write_down(record: &Record, file: File) -> io::Result<()> {
    let mut out = io::BufWriter::new(file);
    for trace in &record.clients {
        for (at, event) in &trace.events {
            writeln!(out, "{} {} {at} {event:?}", trace.name, trace.path)?;
        }
    }
    for send in &record.sends {
        writeln!(out, "{send:?}")?;
    }
    for handled in &record.handled {
        writeln!(out, "{handled:?}")?;
    }
    for term in &record.terms {
        writeln!(out, "{term:?}")?;
    }
    writeln!(out, "killed {:?}, first loss {:?}", record.killed, record.first_loss)?;
    writeln!(out, "fired {:?}, {:?}, {:?}", record.fires, record.fired, record.faults)?;
    out.flush()
}

/// Returns the stream of each room: the one that has its first message.
async fn rooms(world: &World) -> io::Result<HashMap<String, String>> {
    let socket = world.socket.borrow().clone();
    let mut rooms = HashMap::new();
    for room in 0..ROOMS {
        let Some(place) = world.place(0) else { continue };
        let (path, text) = (format!("/rooms/{room}"), format!("first.{room}"));
        world.send(&place, &path, text.clone()).await;
        for index in 0..16 {
            let key = format!("{PREFIX}stream:/rooms/:room:{index}");
            let mut range = cmd("XRANGE");
            range.arg(&key).arg("-").arg("+");
            let entries: Vec<(String, Vec<Vec<u8>>)> =
                ask_at(&socket, &range).await.map_err(io::Error::other)?;
            let has_it = |value: &Vec<u8>| String::from_utf8_lossy(value).contains(&text);
            if entries.iter().any(|(_, values)| values.iter().any(has_it)) {
                rooms.insert(path.clone(), key);
            }
        }
        if !rooms.contains_key(&path) {
            return Err(io::Error::other("a room has no stream"));
        }
    }
    Ok(rooms)
}
