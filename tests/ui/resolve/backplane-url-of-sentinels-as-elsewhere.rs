use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal NEWS: String = "/news";
    backplane redis "redis-sentinel://one.example,two.example/0?sentinelMasterId=mymaster";
}

fn main() {
    let _ = (example(), NEWS);
}
