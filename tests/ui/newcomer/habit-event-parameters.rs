//! A page for each user; the parameter is asked from the event, as in Pode.
//! Told 2 times: by rustc for what the event doesn't have.

use pode::prelude::*;

pode_server! {
    server users;
    endpoint http 8090;
    route GET "/users/:id" => async |event| text(event.parameters["id"].clone());
}

fn main() -> pode::Result {
    users().run_blocking()
}
