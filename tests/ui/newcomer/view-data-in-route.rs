//! A page with a title; the view's struct was written where a handler belongs.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    views "files/newcomer/titled";
    route GET "/" => Index { title: "News" };
}

#[derive(Serialize, View)]
#[view("index", folder = "files/newcomer/titled")]
struct Index {
    title: &'static str,
}

fn main() -> pode::Result {
    news().run_blocking()
}
