//! A counter of visits; the handler asks for the state by type.
//! Told 2 times: by rustc, for the call and for the `?`.

use std::sync::atomic::{AtomicU64, Ordering};

use pode::prelude::*;

pode_server! {
    server counter;
    endpoint http 8090;
    state VISITS: Visits = Visits::default();
    route GET "/" => show;
}

#[derive(Default)]
struct Visits(AtomicU64);

async fn show(event: WebEvent) -> Result<impl Reply, EventError> {
    let visits = event.state::<Visits>()?.0.fetch_add(1, Ordering::Relaxed);
    Ok(text(format!("visits before yours: {visits}")))
}

fn main() -> pode::Result {
    counter().run_blocking()
}
