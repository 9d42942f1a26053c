//! A route for everything below `/files`; the catch-all has no name.

use pode::prelude::*;

pode_server! {
    server files;
    endpoint http 8090;
    route GET "/files/*" => show;
}

async fn show(_: WebEvent) -> impl Reply {
    text("a file")
}

fn main() -> pode::Result {
    files().run_blocking()
}
