//! A page with a title; the template's variable isn't a field of the struct.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    views "files/newcomer/view-struct-without-field";
    route GET "/" => index;
}

#[derive(Serialize, View)]
#[view("index", folder = "files/newcomer/view-struct-without-field")]
struct Index {
    title: String,
}

async fn index(_: WebEvent) -> Index {
    Index { title: "News".to_owned() }
}

fn main() -> pode::Result {
    news().run_blocking()
}
