use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal SEAT: u8 = "/:a/:b/:c/:d/:e" (a: u8, b: u8, c: u8, d: u8, e: u8);
}

fn main() {
    let _ = (example(), SEAT);
}
