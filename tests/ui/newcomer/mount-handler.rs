//! Everything below `/api` by one handler; `mount` was given a handler.

use pode::prelude::*;

pode_server! {
    server house;
    endpoint http 8090;
    mount "/api" api;
}

async fn api(_: WebEvent) -> impl Reply {
    text("the API")
}

fn main() -> pode::Result {
    house().run_blocking()
}
