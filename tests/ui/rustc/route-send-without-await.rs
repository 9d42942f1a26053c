use pode::prelude::*;

pode_server! {
    server example;
    endpoint http 8090;
    endpoint ws 8090;
    signal NEWS: u32 = "/";
    route POST "/" => async |event| event.send(NEWS, &1);
}

fn main() {
    example();
}
