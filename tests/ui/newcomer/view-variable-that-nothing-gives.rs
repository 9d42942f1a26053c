//! A page with a title; nothing gives the template its variable.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    views "files/newcomer/titled";
    route GET "/" => view "index";
}

fn main() -> pode::Result {
    news().run_blocking()
}
