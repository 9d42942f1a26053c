use pode::prelude::*;

pode_server! {
    server example;
    backplane redis "redis://localhost";
    timer "sample" every 5s => async |_| println!("now");
}

fn main() {
    let _ = example();
}
