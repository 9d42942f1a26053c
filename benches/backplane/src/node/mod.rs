//! The programs that are measured: a process of each is a node.
//!
//! A node is told by lines of standard input what to do, and answers each by a line that
//! begins with `done`, when it is:
//!
//! | line | |
//! |---|---|
//! | `publish MESSAGES RATE` | sends so many messages at this rate; at a rate of 0 by [`SENDERS`] that each wait until theirs is taken |
//! | `settle MESSAGES` | waits until it has read as many as all nodes have sent since they began |
//! | `position` | tells where a client resumes that has all so far |
//! | `load` | sends until `unload`, which tells what became of each message |
//!
//! It ends with its input.

mod bare;
mod pode;
mod published;

use std::fmt::Write as _;
use std::io::{self, BufRead};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::stamp::{BYTES, text};

/// How many wait at once for their messages to be taken, where none is skipped.
const SENDERS: u64 = 512;

/// How many do so while Redis is away, and how often each sends.
const LOADING: (u64, Duration) = (600, Duration::from_millis(600));

/// What a node does.
trait Relay: Clone + Send + Sync + 'static {
    /// Returns the ports on which clients connect, and where it says whether it is ready; 0
    /// where there is none.
    fn ports(&self) -> [u16; 2] {
        [0, 0]
    }

    /// Sends, and waits for room alone.
    fn put(&self, text: String) -> impl Future<Output = io::Result<()>> + Send;

    /// Sends, and waits until it is taken.
    fn send(&self, text: String) -> impl Future<Output = Result<(), Unsent>> + Send;

    /// Waits until so many messages were read.
    fn settle(&self, messages: u64) -> impl Future<Output = io::Result<()>> + Send;

    fn position(&self) -> Option<String> {
        None
    }
}

/// What became of a message whose send failed.
#[derive(Debug)]
enum Unsent {
    /// It was never sent.
    Never,
    Unknown,
}

/// Runs a node until its input ends.
pub(crate) fn run(kind: &str, url: &str, name: &str) -> io::Result<()> {
    crate::processes::raise_descriptor_limit()?;
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    match kind {
        "pode" => obey(&handle, handle.block_on(pode::start(Some((url, name))))?),
        "pode-kept" => obey(&handle, handle.block_on(pode::start_kept(url, name))?),
        "pode-latest" => obey(&handle, handle.block_on(pode::start_latest(url, name))?),
        "pode-unkeyed" => obey(&handle, handle.block_on(pode::start_unkeyed(url, name))?),
        "pode-alone" => obey(&handle, handle.block_on(pode::start(None))?),
        "bare" => obey(&handle, handle.block_on(bare::start(Some((url, name))))?),
        "bare-alone" => obey(&handle, handle.block_on(bare::start(None))?),
        "publish" => obey(&handle, handle.block_on(published::start(url, name))?),
        _ => Err(io::Error::other(format!("`{kind}` is no kind of node"))),
    }?;
    runtime.shutdown_background();
    Ok(())
}

fn obey(runtime: &tokio::runtime::Handle, relay: impl Relay) -> io::Result<()> {
    let [clients, operations] = relay.ports();
    println!("listening {clients} {operations}");
    let mut load = None;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split(' ');
        let word = words.next().unwrap_or_default();
        let mut number = || words.next().and_then(|number| number.parse().ok()).unwrap_or(0);
        let relay = relay.clone();
        let answer = match word {
            "publish" => {
                let (messages, rate) = (number(), number());
                let publishing = runtime.spawn(async move {
                    match rate {
                        0 => at_once(relay, messages).await,
                        rate => paced(relay, messages, rate).await,
                    }
                });
                runtime.block_on(publishing).map_err(io::Error::other)??;
                String::new()
            }
            "settle" => {
                runtime.block_on(relay.settle(number()))?;
                String::new()
            }
            "position" => relay.position().unwrap_or_default(),
            "load" => {
                let is_over = Arc::new(AtomicBool::new(false));
                let loading = runtime.spawn(load_all(relay, number(), Arc::clone(&is_over)));
                load = Some((is_over, loading));
                String::new()
            }
            "unload" => {
                let Some((is_over, loading)) = load.take() else { continue };
                is_over.store(true, Ordering::Relaxed);
                runtime.block_on(loading).map_err(io::Error::other)?
            }
            _ => return Err(io::Error::other(format!("`{line}` asks for nothing known"))),
        };
        println!("done {answer}");
    }
    Ok(())
}

/// Sends what is due, once in a millisecond.
async fn paced(relay: impl Relay, messages: u64, rate: u64) -> io::Result<()> {
    let start = Instant::now();
    for message in 0..messages {
        let due = start + Duration::from_nanos(message * 1_000_000_000 / rate);
        if Instant::now() < due {
            sleep_until(due).await;
        }
        relay.put(text(BYTES)).await?;
    }
    Ok(())
}

async fn at_once(relay: impl Relay, messages: u64) -> io::Result<()> {
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let relay = relay.clone();
        let messages = (messages + SENDERS - 1 - sender) / SENDERS;
        senders.spawn(async move {
            for _ in 0..messages {
                let sent = relay.send(text(BYTES)).await;
                sent.map_err(|unsent| io::Error::other(format!("{unsent:?}")))?;
            }
            io::Result::Ok(())
        });
    }
    while let Some(sent) = senders.join_next().await {
        sent.map_err(io::Error::other)??;
    }
    Ok(())
}

/// Sends numbered messages until it is over. Returns how many were sent, and which of them
/// never were, or perhaps.
async fn load_all(relay: impl Relay, node: u64, is_over: Arc<AtomicBool>) -> String {
    let (count, every) = LOADING;
    let mut senders = JoinSet::new();
    for sender in 0..count {
        let (relay, is_over) = (relay.clone(), Arc::clone(&is_over));
        senders.spawn(async move {
            let mut turns = interval(every);
            turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let (mut sent, mut failed) = (0, String::new());
            while !is_over.load(Ordering::Relaxed) {
                turns.tick().await;
                let message = format!("{node}/{sender}/{sent}");
                let _ = match relay.send(message.clone()).await {
                    Ok(()) => Ok(()),
                    Err(Unsent::Never) => write!(failed, " -{message}"),
                    Err(Unsent::Unknown) => write!(failed, " ?{message}"),
                };
                sent += 1;
            }
            format!("{node}/{sender}/{sent}{failed}")
        });
    }
    senders.join_all().await.join(" ")
}
