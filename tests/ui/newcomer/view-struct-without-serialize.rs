//! A page with a title; the view's struct lacks `Serialize`.
//! Told 2 times: the struct can't be a reply either.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    views "files/newcomer/titled";
    route GET "/" => index;
}

#[derive(View)]
#[view("index", folder = "files/newcomer/titled")]
struct Index {
    title: String,
}

async fn index(_: WebEvent) -> Index {
    Index { title: "News".to_owned() }
}

fn main() -> pode::Result {
    news().run_blocking()
}
