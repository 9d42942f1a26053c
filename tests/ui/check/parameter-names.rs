#![deny(deprecated)]

use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/users/:id" (id: u64) => async |_, id| text(format!("{id}"));
    route GET "/users/:user/photo" (user: u64) => async |_, user| text(format!("{user}"));
}

fn main() {
    let _ = example();
}
