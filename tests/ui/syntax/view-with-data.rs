use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    views "files/plain";
    route GET "/" => view "index" { title: "News" };
}

fn main() {
    example();
}
