use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    views "files/words";
    route GET "/users/:name" => view "user";
}

fn main() {
    let _ = example();
}
