use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    public "files/reserved";
}

fn main() {
    let _ = example();
}
