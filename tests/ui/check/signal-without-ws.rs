use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    signal CHAT: String = "/";
    signal NEWS: String = "/news";
}

fn main() {
    example();
}
