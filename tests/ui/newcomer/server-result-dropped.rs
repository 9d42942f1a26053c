//! A server; if it can't start, nobody learns of it.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    route GET "/" => async |_| text("hello");
}

fn main() {
    news().run_blocking();
}
