use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal NEWS: String = "/news";
    backplane redis "redis://one.example:6379,two.example:6379";
}

fn main() {
    let _ = (example(), NEWS);
}
