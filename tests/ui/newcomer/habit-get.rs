//! A page; the route was written as in express.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    get "/" => async |_| text("hello");
}

fn main() -> pode::Result {
    news().run_blocking()
}
