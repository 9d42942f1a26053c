//! A server; it is made, but never run.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    route GET "/" => async |_| text("hello");
}

fn main() {
    news();
}
