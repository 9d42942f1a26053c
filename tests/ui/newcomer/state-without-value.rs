//! A counter of visits; the state has no first value.

use std::sync::atomic::{AtomicU64, Ordering};

use pode::prelude::*;

pode_server! {
    server counter;
    endpoint http 8090;
    state VISITS: Visits;
    route GET "/" => show;
}

#[derive(Default)]
struct Visits(AtomicU64);

async fn show(event: WebEvent) -> impl Reply {
    text(format!("visits before yours: {}", event.state(VISITS).0.fetch_add(1, Ordering::Relaxed)))
}

fn main() -> pode::Result {
    counter().run_blocking()
}
