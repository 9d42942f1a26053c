//! A page for each user; a script contains the name, escaped for HTML.

use pode::prelude::*;

pode_server! {
    server users;
    endpoint http 8090;
    views "files/newcomer/page-script-with-variable";
    route GET "/users/:name" => view "user";
}

fn main() -> pode::Result {
    users().run_blocking()
}
