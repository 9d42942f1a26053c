//! A server; the future that runs it isn't awaited.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    route GET "/" => async |_| text("hello");
}

fn main() {
    news().run();
}
