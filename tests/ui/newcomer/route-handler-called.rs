//! A page; the handler was called instead of named.
//! Told 2 times: by rustc, for the call and for what it gives.

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
