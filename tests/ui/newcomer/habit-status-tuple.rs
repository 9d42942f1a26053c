//! A page that isn't there; the handler returns a tuple, as in axum.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    route GET "/old" => old;
}

async fn old(_: WebEvent) -> (u16, &'static str) {
    (404, "not found")
}

fn main() -> pode::Result {
    news().run_blocking()
}
