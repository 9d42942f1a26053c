use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    state VISITS: u32 = 1;
    route GET "/" => show;
}

async fn show(event: WebEvent) -> impl Reply {
    text(event.state(VISITORS).to_string())
}

fn main() {
    let _ = example();
}
