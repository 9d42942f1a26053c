//! A page made in a handler; the view's name is misspelled.
//! The user gets 500, and the log says why. What handlers hold belongs to rustc; a struct that derives `View` is checked.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    views "files/newcomer/plain";
    route GET "/" => index;
}

async fn index(_: WebEvent) -> impl Reply {
    view("indx")
}

fn main() -> pode::Result {
    news().run_blocking()
}
