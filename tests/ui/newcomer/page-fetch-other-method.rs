//! A note to delete; the script asks by another method than the route's.

use pode::prelude::*;

pode_server! {
    server notes;
    endpoint http 8090;
    views "files/newcomer/page-fetch-other-method";
    route GET "/" => view "index";
    route DELETE "/notes/:id" (id: u64) => remove;
}

async fn remove(_: WebEvent, id: u64) -> impl Reply {
    text(format!("removed {id}"))
}

fn main() -> pode::Result {
    notes().run_blocking()
}
