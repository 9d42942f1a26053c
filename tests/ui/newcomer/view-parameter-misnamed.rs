//! A page for each user; the template's variable isn't the path's parameter.

use pode::prelude::*;

pode_server! {
    server users;
    endpoint http 8090;
    views "files/newcomer/view-parameter-misnamed";
    route GET "/users/:name" => view "user";
}

fn main() -> pode::Result {
    users().run_blocking()
}
