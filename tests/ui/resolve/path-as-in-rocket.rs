use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/users/<id>/<post>" (id: u64) => async |_, id: u64| text(id.to_string());
}

fn main() {
    example();
}
