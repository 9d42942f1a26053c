//! A page with a style; its address is asked from a function of Flask.
//! The user gets 500, and the log says why.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    views "files/newcomer/view-url-for/views";
    public "files/newcomer/view-url-for/public";
    route GET "/" => view "index";
}

fn main() -> pode::Result {
    news().run_blocking()
}
