//! A page that listens; the signal is at another port than the page.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http "127.0.0.1:8090";
    endpoint ws "127.0.0.1:8091";
    views "files/newcomer/page-socket-other-port";
    signal NEWS: String = "/news";
    route GET "/" => view "index";
}

fn main() -> pode::Result {
    news().run_blocking()
}
