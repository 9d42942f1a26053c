use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    views "files/unserved";
    public "/static" "files/unfit";
    route GET "/" => view "index";
}

fn main() {
    let _ = example();
}
