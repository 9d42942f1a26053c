//! A page for each user; the arguments were written after the handler's name.

use pode::prelude::*;

pode_server! {
    server users;
    endpoint http 8090;
    route GET "/users/:id" => show(id: u64);
}

async fn show(_: WebEvent, id: u64) -> impl Reply {
    text(format!("user {id}"))
}

fn main() -> pode::Result {
    users().run_blocking()
}
