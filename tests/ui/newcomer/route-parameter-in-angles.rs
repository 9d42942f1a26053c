//! A page for each user; the parameter was written as in Rocket.

use pode::prelude::*;

pode_server! {
    server users;
    endpoint http 8090;
    route GET "/users/<id>" => show;
}

async fn show(_: WebEvent, id: u64) -> impl Reply {
    text(format!("user {id}"))
}

fn main() -> pode::Result {
    users().run_blocking()
}
