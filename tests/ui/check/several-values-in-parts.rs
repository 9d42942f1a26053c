use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    views "files/composes";
    route GET "/users/:name/:parts" => view "user";
}

fn main() {
    let _ = example();
}
