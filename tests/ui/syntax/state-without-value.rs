use pode::prelude::*;

pode_server! {
    server example;
    state u32;
}

fn main() {
    example();
}
