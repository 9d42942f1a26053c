//! A counter of visits; the state was changed as if it were the handler's own.

use pode::prelude::*;

pode_server! {
    server counter;
    endpoint http 8090;
    state VISITS: Visits = Visits { count: 0 };
    route GET "/" => show;
}

struct Visits {
    count: u64,
}

async fn show(event: WebEvent) -> impl Reply {
    event.state(VISITS).count += 1;
    text("counted")
}

fn main() -> pode::Result {
    counter().run_blocking()
}
