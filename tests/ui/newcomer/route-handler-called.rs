//! A page; the handler was called instead of named.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    route GET "/" => index();
}

async fn index(_: WebEvent) -> impl Reply {
    text("hello")
}

fn main() -> pode::Result {
    news().run_blocking()
}
