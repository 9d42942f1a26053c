use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/users/:name" (name: &str) => async |_, name| text(name.to_owned());
}

fn main() {
    example();
}
