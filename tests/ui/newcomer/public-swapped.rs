//! Files under `/static`; folder and prefix were written in the wrong order.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    public "files/plain" "/static";
}

fn main() -> pode::Result {
    news().run_blocking()
}
