//! Files under `/static`; folder and prefix were written in the wrong order.
//! Told 2 times: for the prefix and for the folder.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    public "files/plain" "/static";
}

fn main() -> pode::Result {
    news().run_blocking()
}
