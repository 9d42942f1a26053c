use pode::prelude::*;

pode_server! {
    server example(url: String);
    endpoint ws "127.0.0.1:8091";
    signal NEWS: String = "/news";
    backplane url;
}

fn main() {
    let _ = (example, NEWS);
}
