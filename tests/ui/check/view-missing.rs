use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    views "files/pages";
    route GET "/" => view "indx";
}

fn main() {
    let _ = example();
}
