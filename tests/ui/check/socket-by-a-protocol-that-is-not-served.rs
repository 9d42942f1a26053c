use pode::prelude::*;

pode_server! {
    server example;
    endpoint https "127.0.0.1:8443" { certificate: self_signed() };
    endpoint wss   "127.0.0.1:8443";
    views "files/plainly";
    signal RANDOM: u32 = "/random";
    route GET "/" => view "index";
}

fn main() {
    let _ = example();
}
