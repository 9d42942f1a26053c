//! A counter; the handler expects that the state may be missing.

use std::sync::atomic::{AtomicU64, Ordering};

use pode::prelude::*;

pode_server! {
    server counter;
    endpoint http 8090;
    state VISITS: AtomicU64 = AtomicU64::new(0);
    route GET "/" => show;
}

async fn show(event: WebEvent) -> Result<impl Reply, EventError> {
    Ok(text(event.state(VISITS)?.fetch_add(1, Ordering::Relaxed).to_string()))
}

fn main() -> pode::Result {
    counter().run_blocking()
}
