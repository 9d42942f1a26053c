//! A route with a limit; the limit was written as an option of the route.

use pode::prelude::*;

pode_server! {
    server house;
    endpoint http 8090;
    route POST "/notes" (body: String) { max_body_bytes: 4096 } => note;
}

async fn note(_: WebEvent, body: String) -> impl Reply {
    text(body)
}

fn main() -> pode::Result {
    house().run_blocking()
}
