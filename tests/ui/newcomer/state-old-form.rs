//! A counter of visits; the state has no name, as in earlier versions.
//! Told 3 times: for the form, then by rustc for the call and for the `?`.

use std::sync::atomic::{AtomicU64, Ordering};

use pode::prelude::*;

pode_server! {
    server counter;
    endpoint http 8090;
    state Visits = Visits::default();
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
