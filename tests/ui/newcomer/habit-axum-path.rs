//! A page for each user; the handler takes extractors, as in axum.
//! Told 2 times: by rustc, for the pattern and for the type.

use pode::prelude::*;

pode_server! {
    server users;
    endpoint http 8090;
    route GET "/users/:id" (id: u64) => show;
}

async fn show(Path(id): Path<u64>) -> impl Reply {
    text(format!("user {id}"))
}

fn main() -> pode::Result {
    users().run_blocking()
}
