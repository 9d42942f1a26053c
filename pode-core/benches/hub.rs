//! What a send costs its sender, by how many receive the message and what they
//! are doing.
//!
//! Receivers that are behind cost the sender nothing, however many they are.
//! Those that wait are woken within the send, one after the other: a thousand
//! of them cost it a thousand times as much. That is why clients don't receive
//! from the hub's channels, but a delivery does so for all of them; tokio's
//! channel, with our message, shows the difference.
//!
//! All runs in one thread, where to wake a task is to put it into a queue. In a
//! runtime of many threads another one may have to be woken on top of that.

#![allow(missing_docs, reason = "a program")]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use pode_core::Message;
use pode_core::hub::Hub;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::broadcast;
use tokio::task::yield_now;

/// How many messages are sent between two looks at the clock, if each wakes one
/// receiver: a look takes nearly as long as such a send.
const ROW: usize = 64;

criterion_group!(benches, hub, channel);
criterion_main!(benches);

/// Sends over a hub, whose channels have one receiver each.
fn hub(criterion: &mut Criterion) {
    let message = message();
    let runtime = runtime();
    let mut group = criterion.benchmark_group("hub send");

    group.bench_function("delivery gone", |bencher| {
        let (hub, receivers) = Hub::<Message>::new([("/", ROW)]);
        drop(receivers);
        let channel = hub.channel("/").expect("the path is declared");
        bencher.iter(|| black_box(channel).try_reserve().is_err());
    });

    group.bench_function("delivery behind", |bencher| {
        let (hub, mut receivers) = Hub::new([("/", ROW)]);
        let mut send = async |_| send(&hub, "/", &message).await;
        let mut take = async |_| while receivers[0].try_next().is_some() {};
        bencher.iter_custom(|sends| runtime.block_on(time(sends, ROW, &mut send, &mut take)));
    });

    let paths: Vec<&'static str> = (0..ROW).map(|n| &*format!("/{n}").leak()).collect();
    group.bench_function("delivery waiting", |bencher| {
        let (hub, receivers) = Hub::new(paths.iter().map(|path| (*path, ROW)));
        let taken = Taken::default();
        for mut receiver in receivers {
            let taken = taken.clone();
            runtime.spawn(async move {
                while receiver.next().await.is_some() {
                    taken.one();
                }
            });
        }
        let mut send = async |nth: usize| send(&hub, paths[nth], &message).await;
        let mut take = async |sent| taken.wait_for(sent).await;
        bencher.iter_custom(|sends| runtime.block_on(time(sends, ROW, &mut send, &mut take)));
    });
}

/// As the run time sends.
async fn send(hub: &Hub, path: &'static str, message: &Message) {
    let channel = hub.channel(path).expect("the path is declared");
    let permit = channel.reserve().await.expect("the delivery is there");
    permit.send(message.clone()).expect("the delivery is there");
}

/// Sends over channels of tokio, which have any number of receivers.
fn channel(criterion: &mut Criterion) {
    let message = message();
    let runtime = runtime();
    let mut group = criterion.benchmark_group("channel send");

    for count in [0, 1, 1_000] {
        group.bench_function(format!("{count} behind"), |bencher| {
            let (sender, _) = broadcast::channel(ROW);
            let _receivers: Vec<_> = (0..count).map(|_| sender.subscribe()).collect();
            bencher.iter(|| sender.send(message.clone()).is_ok());
        });
    }

    for count in [1, 1_000] {
        group.bench_function(format!("{count} waiting"), |bencher| {
            let row = (ROW / count).max(1);
            let senders: Vec<_> = (0..row).map(|_| broadcast::Sender::new(ROW)).collect();
            let taken = Taken::default();
            for sender in senders.iter().cycle().take(row * count) {
                let mut receiver = sender.subscribe();
                let taken = taken.clone();
                runtime.spawn(async move {
                    while receiver.recv().await.is_ok() {
                        taken.one();
                    }
                });
            }
            let mut send = async |nth: usize| {
                let received = senders[nth].send(message.clone());
                assert_eq!(received.ok(), Some(count));
            };
            let mut take = async |sent| taken.wait_for(sent * count).await;
            bencher.iter_custom(|sends| runtime.block_on(time(sends, row, &mut send, &mut take)));
        });
    }
}

/// Times so many sends, in rows of one to each channel. What the receivers do
/// after a row, until they wait again, doesn't count.
async fn time(
    sends: u64,
    row: usize,
    send: &mut impl AsyncFnMut(usize),
    take: &mut impl AsyncFnMut(usize),
) -> Duration {
    // Tasks that were just made wait only once they have had a first message.
    for nth in 0..row {
        send(nth).await;
    }
    take(row).await;
    let mut took = Duration::ZERO;
    let mut left = sends as usize;
    while left > 0 {
        let row = row.min(left);
        let start = Instant::now();
        for nth in 0..row {
            send(nth).await;
        }
        took += start.elapsed();
        take(row).await;
        left -= row;
    }
    took
}

/// How many messages the tasks of receivers took since this was last waited
/// for.
#[derive(Clone, Default)]
struct Taken(Arc<AtomicUsize>);

impl Taken {
    fn one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets the tasks run until they took so many.
    async fn wait_for(&self, messages: usize) {
        while self.0.load(Ordering::Relaxed) < messages {
            yield_now().await;
        }
        self.0.store(0, Ordering::Relaxed);
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime without drivers needs nothing")
}

fn message() -> Message {
    Message::text(&"x".repeat(128))
}
