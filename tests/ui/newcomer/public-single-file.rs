//! One page at `/index.html`; `public` was given a file instead of a folder.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    public "files/newcomer/plain/index.html";
}

fn main() -> pode::Result {
    news().run_blocking()
}
