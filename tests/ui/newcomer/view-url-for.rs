//! A page with a style; its address is asked from a function of Flask.

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
