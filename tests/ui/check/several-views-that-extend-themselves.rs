use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    views "files/circle";
    route GET "/" => view "leads";
}

fn main() {
    let _ = example();
}
