//! A list by pages; the page's number was meant to be optional.

use pode::prelude::*;

pode_server! {
    server list;
    endpoint http 8090;
    route GET "/list/:page" (page: Option<u32>) => show;
}

async fn show(_: WebEvent, page: Option<u32>) -> impl Reply {
    text(page.unwrap_or(1).to_string())
}

fn main() -> pode::Result {
    list().run_blocking()
}
