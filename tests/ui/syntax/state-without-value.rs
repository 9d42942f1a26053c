use pode::prelude::*;

pode_server! {
    server example;
    state VISITS: u32;
}

fn main() {
    example();
}
