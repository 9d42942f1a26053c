//! A page for each user; the template's filter is misspelled.

use pode::prelude::*;

pode_server! {
    server users;
    endpoint http 8090;
    views "files/newcomer/view-filter-unknown";
    route GET "/users/:name" => view "user";
}

fn main() -> pode::Result {
    users().run_blocking()
}
