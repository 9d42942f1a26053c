use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal WALL: String -> String = "/wall" => rebroadcast;
}

fn main() {
    let _ = (example(), WALL);
}
