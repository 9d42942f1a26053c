use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal VISITS: u32 = "/visits";
    state VISITS: u32 = 1;
    timer "tell" every 1s => async |event| event.send(VISITS, &1).await;
}

fn main() {
    let _ = example();
}
