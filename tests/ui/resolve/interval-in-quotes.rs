use pode::prelude::*;

pode_server! {
    server example;
    timer "sample" every "5s" => async |_| {};
}

fn main() {
    example();
}
