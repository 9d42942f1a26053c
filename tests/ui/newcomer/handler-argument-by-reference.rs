//! A page for each user; the handler borrows the name.

use pode::prelude::*;

pode_server! {
    server users;
    endpoint http 8090;
    route GET "/users/:name" (name: String) => show;
}

async fn show(_: WebEvent, name: &str) -> impl Reply {
    text(format!("user {name}"))
}

fn main() -> pode::Result {
    users().run_blocking()
}
