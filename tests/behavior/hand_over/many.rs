//! Many hand-overs in a row, under load.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::program::{Folder, Shop, post};
use super::returning::Returning;
use crate::support::{Client, get_at, within};

const HAND_OVERS: usize = 20;
const CONNECTIONS_PER_SECOND: u64 = 200;
const LISTENERS: usize = 40;
const DRAIN: Duration = Duration::from_secs(1);

/// The minimum load in each hand-over, however slow this machine is.
const POSTS_EACH: u64 = 5;
const CONNECTIONS_EACH: u64 = 20;

/// How many connections may be open at once, so that a slow machine isn't
/// flooded.
const CONNECTIONS_AT_ONCE: usize = 100;

/// None of 200 connections in a second is refused, and a client that reconnects
/// has every message that is posted all the time, in order and once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_hand_overs_refuse_nobody_and_lose_nothing() {
    let folder = Folder::new("many");
    let mut shop = Shop::start(&folder, DRAIN).await;
    let address = shop.address;
    let mut listeners = JoinSet::new();
    let done = Arc::new(AtomicBool::new(false));
    let posted = watch::Sender::new(0);
    let connected = watch::Sender::new(0);
    for _ in 0..LISTENERS {
        let mut client = Returning::connect(address, "/news").await;
        let (done, posted) = (Arc::clone(&done), posted.clone());
        listeners.spawn(async move {
            let mut next = 0;
            while !done.load(Ordering::SeqCst) || next < *posted.borrow() {
                assert_eq!(client.text_wherever().await, next.to_string());
                next += 1;
            }
        });
    }
    let posting = tokio::spawn(post_all_the_while(address, Arc::clone(&done), posted.clone()));
    let connecting =
        tokio::spawn(connect_all_the_while(address, Arc::clone(&done), connected.clone()));
    for _ in 0..HAND_OVERS {
        let posts = *posted.borrow() + POSTS_EACH;
        let connections = *connected.borrow() + CONNECTIONS_EACH;
        let newer = Shop::start(&folder, DRAIN).await;
        let (code, said) = std::mem::replace(&mut shop, newer).end().await;
        assert_eq!(code, Some(0), "{said}");
        // A timer may be late under this load.
        let complaints =
            said.lines().filter(|line| line.contains("ERROR") || line.contains("WARN"));
        let complaints: Vec<_> = complaints.filter(|line| !line.contains("is behind")).collect();
        assert_eq!(complaints, [""; 0], "{said}");
        reaches(&posted, posts).await;
        reaches(&connected, connections).await;
    }
    done.store(true, Ordering::SeqCst);
    posting.await.unwrap();
    connecting.await.unwrap();
    // One more, so that tasks that wait for it see the end.
    let last = *posted.borrow();
    posted.send_replace(last + 1);
    assert_eq!(post(address, last).await, 204);
    while let Some(ended) = listeners.join_next().await {
        ended.unwrap();
    }
}

async fn reaches(count: &watch::Sender<u64>, enough: u64) {
    let mut count = count.subscribe();
    let reached = count.wait_for(|count| *count >= enough);
    within(reached, "as much load as there has to be").await.unwrap();
}

/// Posts numbers, each after the response to the one before.
async fn post_all_the_while(
    address: SocketAddr,
    done: Arc<AtomicBool>,
    posted: watch::Sender<u64>,
) {
    while !done.load(Ordering::SeqCst) {
        let number = *posted.borrow();
        assert_eq!(post(address, number).await, 204);
        posted.send_replace(number + 1);
    }
}

/// Connects at its pace, by HTTP and WebSocket in turn, and expects a response
/// each time.
async fn connect_all_the_while(
    address: SocketAddr,
    done: Arc<AtomicBool>,
    connected: watch::Sender<u64>,
) {
    let mut ticks = interval(Duration::from_secs(1) / CONNECTIONS_PER_SECOND as u32);
    // Late ticks are made up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut connections = JoinSet::new();
    while !done.load(Ordering::SeqCst) {
        ticks.tick().await;
        let count = *connected.borrow() + 1;
        connected.send_replace(count);
        connections.spawn(async move {
            if count.is_multiple_of(2) {
                assert_eq!(get_at(address, "/").await.status, 200);
            } else {
                let mut client = Client::connect_at(address, "/talk").await.unwrap();
                client.say("\"hello\"").await;
            }
        });
        while let Some(ended) = connections.try_join_next() {
            ended.unwrap();
        }
        if connections.len() >= CONNECTIONS_AT_ONCE {
            connections.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(ended) = connections.join_next().await {
        ended.unwrap();
    }
}
