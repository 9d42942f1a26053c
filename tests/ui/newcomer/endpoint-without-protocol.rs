//! A page at port 8090; the endpoint's protocol was forgotten.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint "127.0.0.1:8090";
    route GET "/" => async |_| text("hello");
}

fn main() -> pode::Result {
    news().run_blocking()
}
