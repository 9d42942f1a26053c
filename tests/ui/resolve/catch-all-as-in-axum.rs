use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/files/{*rest}" (rest: String) => async |_, rest: String| text(rest);
}

fn main() {
    example();
}
