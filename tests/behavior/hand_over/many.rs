//! Many hand-overs in a row, under load.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::program::{Folder, Shop, post};
use super::returning::Returning;
use crate::support::{Client, get_at};

const HAND_OVERS: usize = 20;
const CONNECTIONS_PER_SECOND: u64 = 200;
const LISTENERS: usize = 40;
const DRAIN: Duration = Duration::from_secs(1);

/// None of 200 connections in a second is refused, and whoever comes back has
/// every message that somebody posts all the while, in order and once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_hand_overs_refuse_nobody_and_lose_nothing() {
    let folder = Folder::new("many");
    let mut shop = Shop::start(&folder, DRAIN).await;
    let address = shop.address;
    let mut listeners = JoinSet::new();
    let done = Arc::new(AtomicBool::new(false));
    let posted = Arc::new(AtomicU64::new(0));
    for _ in 0..LISTENERS {
        let mut client = Returning::connect(address, "/news").await;
        let (done, posted) = (Arc::clone(&done), Arc::clone(&posted));
        listeners.spawn(async move {
            let mut next = 0;
            while !done.load(Ordering::SeqCst) || next < posted.load(Ordering::SeqCst) {
                assert_eq!(client.text_wherever().await, next.to_string());
                next += 1;
            }
        });
    }
    let posting = tokio::spawn(post_all_the_while(address, Arc::clone(&done), Arc::clone(&posted)));
    let connecting = tokio::spawn(connect_all_the_while(address, Arc::clone(&done)));
    for _ in 0..HAND_OVERS {
        let newer = Shop::start(&folder, DRAIN).await;
        let (code, said) = std::mem::replace(&mut shop, newer).end().await;
        assert_eq!(code, Some(0), "{said}");
        // A timer may be late when so much is going on.
        let complaints =
            said.lines().filter(|line| line.contains("ERROR") || line.contains("WARN"));
        let complaints: Vec<_> = complaints.filter(|line| !line.contains("is behind")).collect();
        assert_eq!(complaints, [""; 0], "{said}");
    }
    done.store(true, Ordering::SeqCst);
    posting.await.unwrap();
    let connections = connecting.await.unwrap();
    // One more, so that whoever waited for it sees that it is done.
    let last = posted.fetch_add(1, Ordering::SeqCst);
    assert_eq!(post(address, last).await, 204);
    while let Some(ended) = listeners.join_next().await {
        ended.unwrap();
    }
    assert!(last > 500 && connections > 2_000, "{last} messages, {connections} connections");
}

/// Posts numbers, each when the one before is answered.
async fn post_all_the_while(address: SocketAddr, done: Arc<AtomicBool>, posted: Arc<AtomicU64>) {
    while !done.load(Ordering::SeqCst) {
        assert_eq!(post(address, posted.load(Ordering::SeqCst)).await, 204);
        posted.fetch_add(1, Ordering::SeqCst);
    }
}

/// Connects at its pace, by HTTP and WebSocket in turn, and expects an answer
/// each time; returns how often.
async fn connect_all_the_while(address: SocketAddr, done: Arc<AtomicBool>) -> u64 {
    let mut ticks = interval(Duration::from_secs(1) / CONNECTIONS_PER_SECOND as u32);
    // What is late is made up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut connections = JoinSet::new();
    let mut count = 0;
    while !done.load(Ordering::SeqCst) {
        ticks.tick().await;
        count += 1;
        connections.spawn(async move {
            if count % 2 == 0 {
                assert_eq!(get_at(address, "/").await.status, 200);
            } else {
                let mut client = Client::connect_at(address, "/talk").await.unwrap();
                client.say("\"hello\"").await;
            }
        });
        while let Some(ended) = connections.try_join_next() {
            ended.unwrap();
        }
    }
    while let Some(ended) = connections.join_next().await {
        ended.unwrap();
    }
    count
}
