//! A page for each user by number; a link asks for `me`, which no route has.

use pode::prelude::*;

pode_server! {
    server users;
    endpoint http 8090;
    views "files/newcomer/page-link-value-of-other-type";
    route GET "/" => view "index";
    route GET "/users/:id" (id: u64) => show;
}

async fn show(_: WebEvent, id: u64) -> impl Reply {
    text(format!("user {id}"))
}

fn main() -> pode::Result {
    users().run_blocking()
}
