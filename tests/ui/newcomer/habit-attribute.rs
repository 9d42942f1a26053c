//! A page; the handler has an attribute, as in Rocket and actix.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    #[get("/")]
    async fn index(_: WebEvent) -> impl Reply {
        text("hello")
    }
}

fn main() -> pode::Result {
    news().run_blocking()
}
