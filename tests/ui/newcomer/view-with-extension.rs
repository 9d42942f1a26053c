//! A page from a template; its name was written with the file's ending.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    views "files/newcomer/plain";
    route GET "/" => view "index.html";
}

fn main() -> pode::Result {
    news().run_blocking()
}
