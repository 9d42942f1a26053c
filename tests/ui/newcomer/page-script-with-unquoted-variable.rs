//! A page for each user; the name, which anyone may choose, becomes script.

use pode::prelude::*;

pode_server! {
    server users;
    endpoint http 8090;
    views "files/newcomer/page-script-with-unquoted-variable";
    route GET "/users/:name" => view "user";
}

fn main() -> pode::Result {
    users().run_blocking()
}
