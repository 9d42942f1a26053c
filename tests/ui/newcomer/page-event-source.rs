//! A page that listens by an `EventSource`, to a path that is misspelt.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    endpoint ws 8090;
    views "files/newcomer/page-event-source";
    signal NEWS: String = "/news";
    route GET "/" => view "index";
}

fn main() -> pode::Result {
    news().run_blocking()
}
