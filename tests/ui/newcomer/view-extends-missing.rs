//! Pages with a common layout; the layout's name lacks its ending.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    views "files/newcomer/view-extends-missing";
    route GET "/" => view "index";
}

fn main() -> pode::Result {
    news().run_blocking()
}
