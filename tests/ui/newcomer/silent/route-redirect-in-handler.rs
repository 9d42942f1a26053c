//! A page that has moved; the target of the handler's redirect is misspelled.
//! The user gets 404 after the redirect. What handlers hold belongs to rustc.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    route GET "/about" => async |_| text("about");
    route GET "/old" => async |_| redirect("/abuot");
}

fn main() -> pode::Result {
    news().run_blocking()
}
