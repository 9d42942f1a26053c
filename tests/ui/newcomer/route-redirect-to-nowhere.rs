//! A page that has moved; the target of the declared redirect is misspelled.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    route GET "/about" => async |_| text("about");
    route GET "/old" => redirect "/abuot";
}

fn main() -> pode::Result {
    news().run_blocking()
}
