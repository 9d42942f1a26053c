//! A note to change; `fetch` doesn't make this method upper case.

use pode::prelude::*;

pode_server! {
    server notes;
    endpoint http 8090;
    views "files/newcomer/page-fetch-patch-lower-case";
    route GET "/" => view "index";
    route PATCH "/note" (body: String) => replace;
}

async fn replace(_: WebEvent, body: String) -> impl Reply {
    text(body)
}

fn main() -> pode::Result {
    notes().run_blocking()
}
