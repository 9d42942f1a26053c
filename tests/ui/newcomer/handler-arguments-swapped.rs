//! A page of each user's posts; the handler's arguments are in the wrong order.

use pode::prelude::*;

pode_server! {
    server users;
    endpoint http 8090;
    route GET "/users/:id" (id: u64, query: Search) => show;
}

#[derive(Deserialize)]
struct Search {
    words: String,
}

async fn show(_: WebEvent, search: Search, id: u64) -> impl Reply {
    text(format!("{} of {id}", search.words))
}

fn main() -> pode::Result {
    users().run_blocking()
}
