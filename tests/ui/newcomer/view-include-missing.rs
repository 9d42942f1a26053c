//! A page with a common head; the included file's folder was forgotten.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    views "files/newcomer/view-include-missing";
    route GET "/" => view "index";
}

fn main() -> pode::Result {
    news().run_blocking()
}
