//! A user as JSON; the handler returns the struct itself.

use pode::prelude::*;

pode_server! {
    server users;
    endpoint http 8090;
    route GET "/users/:id" (id: u64) => show;
}

#[derive(Serialize)]
struct User {
    id: u64,
}

async fn show(_: WebEvent, id: u64) -> User {
    User { id }
}

fn main() -> pode::Result {
    users().run_blocking()
}
