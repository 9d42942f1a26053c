//! A page; the closure isn't `async`.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    route GET "/" => |_| text("hello");
}

fn main() -> pode::Result {
    news().run_blocking()
}
