//! Numbers as JSON; the handler returns a reply of warp.

use pode::prelude::*;
use pode::warp;

pode_server! {
    server house;
    endpoint http 8090;
    route GET "/numbers" => numbers;
}

async fn numbers(_: WebEvent) -> impl warp::Reply {
    warp::reply::json(&[1, 2, 3])
}

fn main() -> pode::Result {
    house().run_blocking()
}
