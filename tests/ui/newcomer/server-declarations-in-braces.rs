//! A server with one page; its declarations were put into the head's braces.

use pode::prelude::*;

pode_server! {
    server news {
        endpoint http "127.0.0.1:8090";
        route GET "/" => async |_| text("hello");
    }
}

fn main() -> pode::Result {
    news().run_blocking()
}
