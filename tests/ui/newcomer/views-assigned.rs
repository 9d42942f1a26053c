//! A page from a template; the folder was assigned as in `Cargo.toml`.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    views = "files/newcomer/plain";
    route GET "/" => view "index";
}

fn main() -> pode::Result {
    news().run_blocking()
}
