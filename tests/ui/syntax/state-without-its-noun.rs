use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    VISITS: Visits = Visits::default();
    route GET "/" => index;
}

#[derive(Default)]
struct Visits(std::sync::atomic::AtomicU64);

async fn index(event: WebEvent) -> impl Reply {
    text(format!("{:?}", event.state(VISITS).0))
}

fn main() {
    example();
}
