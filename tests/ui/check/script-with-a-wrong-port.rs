use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    endpoint ws "127.0.0.1:8091";
    public "files/scripts";
    signal NEWS: String = "/news";
}

fn main() {
    let _ = example();
}
