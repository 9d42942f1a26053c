//! What becomes of messages while Redis is away, under load.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::frames::{Client, Event};
use crate::processes::{Program, Redis, ask_all, is_ready, resident_bytes};

const NODES: usize = 3;

/// What each node sends when it has settled, behind all else.
const SETTLED: &str = "settled";

/// How often memory and readiness are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How Redis is away.
#[derive(Clone, Copy)]
enum Away {
    Stopped,
    /// Killed, and started again with what it has on disk.
    Killed,
}

/// What a client got.
#[derive(Default)]
struct Seen {
    messages: HashMap<String, u32>,
    settled: usize,
    /// Gaps that it was told of, and closes.
    gaps: Vec<String>,
}

type Shared = Arc<Mutex<Seen>>;

pub(crate) fn measure(is_quick: bool) -> io::Result<()> {
    let away = Duration::from_secs(if is_quick { 1 } else { 20 });
    let mut is_sound = true;
    for (what, how) in [("SIGSTOP", Away::Stopped), ("SIGKILL", Away::Killed)] {
        println!("\nRedis is away for {} s, by {what}", away.as_secs());
        is_sound &= outage(how, away)?;
    }
    if is_sound { Ok(()) } else { Err(io::Error::other("messages were lost, or came twice")) }
}

/// Returns whether all came as it should.
fn outage(how: Away, away: Duration) -> io::Result<bool> {
    let mut redis = Redis::start(true)?;
    let mut nodes = Program::own("pode-kept")?.start(&redis, "outage", NODES)?;
    let mut clients = Vec::new();
    for node in &nodes {
        for subprotocol in [None, Some("pode.v1")] {
            let seen = Shared::default();
            let client = Client::connect(node.port, subprotocol)?;
            let is_plain = subprotocol.is_none();
            thread::spawn({
                let seen = Arc::clone(&seen);
                move || listen(client, is_plain, &seen)
            });
            clients.push(seen);
        }
    }
    for (index, node) in nodes.iter_mut().enumerate() {
        node.ask(&format!("load {index}"))?;
        node.answer()?;
    }
    let look = |time: Duration| -> io::Result<(u64, Option<Duration>)> {
        let (start, mut most, mut unready) = (Instant::now(), 0, None);
        while start.elapsed() < time {
            for node in &nodes {
                most = resident_bytes(node.id())?.max(most);
                if unready.is_none() && !is_ready(node.operations)? {
                    unready = Some(start.elapsed());
                }
            }
            thread::sleep(LOOK);
        }
        Ok((most, unready))
    };
    let (before, _) = look(Duration::from_secs(5))?;
    match how {
        Away::Stopped => redis.signal(Signal::STOP)?,
        Away::Killed => redis.kill()?,
    }
    let (meanwhile, unready) = look(away)?;
    match how {
        Away::Stopped => redis.signal(Signal::CONT)?,
        Away::Killed => redis.start_again()?,
    }
    let (back, mut ready) = (Instant::now(), None);
    while ready.is_none() && back.elapsed() < Duration::from_secs(60) {
        let mut all_ready = true;
        for node in &nodes {
            all_ready &= is_ready(node.operations)?;
        }
        ready = all_ready.then(|| back.elapsed());
        thread::sleep(LOOK);
    }
    let (after, _) = look(Duration::from_secs(5))?;

    let mut outcomes = Vec::new();
    for node in &mut nodes {
        node.ask("unload")?;
        outcomes.push(node.answer()?);
    }
    ask_all(&mut nodes, "settle 0")?;
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end && clients.iter().any(|seen| of(seen).settled < NODES) {
        thread::sleep(LOOK);
    }
    let told = |time: Option<Duration>| match time {
        Some(time) => format!("{:.1} s", time.as_secs_f64()),
        None => "never".to_owned(),
    };
    println!("  not ready after {}, ready {} after its return", told(unready), told(ready));
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let (before, meanwhile, after) = (mib(before), mib(meanwhile), mib(after));
    println!("  memory of a node at most, MiB: {before:.1}, {meanwhile:.1}, {after:.1} afterwards");
    Ok(judge(&outcomes.join(" "), &clients))
}

fn of(seen: &Shared) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(mut client: Client, is_plain: bool, seen: &Shared) {
    loop {
        let text = match client.next() {
            Ok(Event::Text(text)) => text,
            Ok(Event::Closed) | Err(_) => return of(seen).gaps.push("it was closed".to_owned()),
        };
        let object: Value = serde_json::from_slice(&text).unwrap_or_default();
        let message = if is_plain { &object } else { &object["data"] };
        let mut seen = of(seen);
        match message.as_str() {
            Some(SETTLED) => seen.settled += 1,
            Some(message) => *seen.messages.entry(message.to_owned()).or_default() += 1,
            None if object.get("gap").is_some() => seen.gaps.push(object.to_string()),
            None => {}
        }
    }
}

/// Compares what was sent with what came, and tells it.
fn judge(outcomes: &str, clients: &[Shared]) -> bool {
    let (mut sent, mut failed) = (Vec::new(), HashMap::new());
    for word in outcomes.split_whitespace() {
        if let Some(message) = word.strip_prefix('-') {
            failed.insert(message.to_owned(), "never");
        } else if let Some(message) = word.strip_prefix('?') {
            failed.insert(message.to_owned(), "unknown");
        } else if let Some((sender, count)) = word.rsplit_once('/') {
            let count: u64 = count.parse().unwrap_or(0);
            sent.extend((0..count).map(|message| format!("{sender}/{message}")));
        }
    }
    let count = |what| failed.values().filter(|it| **it == what).count();
    println!(
        "  {} sends: {} were Ok, {} failed and were never sent, of {} nobody knows",
        sent.len(),
        sent.len() - failed.len(),
        count("never"),
        count("unknown"),
    );
    let (mut lost, mut twice, mut though_failed, mut gaps) = (0, 0, 0, Vec::new());
    for seen in clients {
        let seen = of(seen);
        for message in &sent {
            let times = seen.messages.get(message).copied().unwrap_or(0);
            match failed.get(message) {
                None => lost += usize::from(times == 0),
                Some(&"never") => though_failed += usize::from(times > 0),
                Some(_) => {}
            }
            twice += usize::from(times > 1);
        }
        gaps.extend(seen.gaps.clone());
    }
    println!(
        "  {} clients: {lost} of these lost, {twice} twice, {though_failed} came though never \
         sent; {} gaps {}",
        clients.len(),
        gaps.len(),
        gaps.first().map(String::as_str).unwrap_or_default()
    );
    lost + twice + though_failed + gaps.len() == 0
}
