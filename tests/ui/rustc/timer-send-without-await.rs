use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws 8090;
    signal NEWS: u32 = "/";
    timer "sample" every 5s => async |event| event.send(NEWS, &1);
}

fn main() {
    example();
}
