//! A page at port 8090; the endpoint's address was written as a URL.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http "http://localhost:8090";
    route GET "/" => async |_| text("hello");
}

fn main() -> pode::Result {
    news().run_blocking()
}
