use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    mount "/api" pode::warp::any().map(|| "hello");
    public "/api/files" "files/plain";
}

use pode::warp::Filter;

fn main() {
    let _ = example();
}
