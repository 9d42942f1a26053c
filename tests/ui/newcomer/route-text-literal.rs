//! A page of one word; the text was written where a handler belongs.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    route GET "/" => "hello";
}

fn main() -> pode::Result {
    news().run_blocking()
}
