//! A page; the closure takes a request and a response, as in express.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    route GET "/" => async |request, response| response.send("hello");
}

fn main() -> pode::Result {
    news().run_blocking()
}
