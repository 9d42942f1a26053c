//! A page with a picture; the style's address of it is misspelled.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    public "files/newcomer/page-style-url-missing";
}

fn main() -> pode::Result {
    news().run_blocking()
}
