//! A note; the handler takes the body, which the route doesn't declare.

use pode::prelude::*;

pode_server! {
    server notes;
    endpoint http 8090;
    route POST "/notes" => add;
}

async fn add(_: WebEvent, body: String) -> impl Reply {
    text(body)
}

fn main() -> pode::Result {
    notes().run_blocking()
}
