//! Two pages; one links to the other's file instead of its route.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    views "files/newcomer/page-link-to-file-name";
    route GET "/" => view "index";
    route GET "/about" => view "about";
}

fn main() -> pode::Result {
    news().run_blocking()
}
