//! A page with a title; the data was written behind the view's name.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    views "files/newcomer/plain";
    route GET "/" => view "index" { title: "News" };
}

fn main() -> pode::Result {
    news().run_blocking()
}
