//! A search by `?words=…`; the query was written into the path.

use pode::prelude::*;

pode_server! {
    server search;
    endpoint http 8090;
    route GET "/search?words=:words" (words: String) => find;
}

async fn find(_: WebEvent, words: String) -> impl Reply {
    text(words)
}

fn main() -> pode::Result {
    search().run_blocking()
}
