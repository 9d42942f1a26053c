//! An endpoint with a name; the name was written after the protocol.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http inner "127.0.0.1:9000";
    route GET "/" { endpoint: inner } => async |_| text("hello");
}

fn main() -> pode::Result {
    news().run_blocking()
}
