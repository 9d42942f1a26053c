//! A page at port 8090; address and port were written as two values.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http "localhost", 8090;
    route GET "/" => async |_| text("hello");
}

fn main() -> pode::Result {
    news().run_blocking()
}
