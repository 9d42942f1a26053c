use pode::prelude::*;
use pode::warp::{self, Filter};

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    mount "/api" warp::any().and(warp::path::end()).map(warp::reply);
    mount "/api/v1" warp::any().and(warp::path::end()).map(warp::reply);
}

fn main() {
    example();
}
