//! A page with a title; the struct's view is misspelled.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    views "files/newcomer/titled";
    route GET "/" => index;
}

#[derive(Serialize, View)]
#[view("indx", folder = "files/newcomer/titled")]
struct Index {
    title: String,
}

async fn index(_: WebEvent) -> Index {
    Index { title: "News".to_owned() }
}

fn main() -> pode::Result {
    news().run_blocking()
}
