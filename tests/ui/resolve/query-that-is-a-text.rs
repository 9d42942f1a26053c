use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/" (query: String) => async |_, query: String| text(query);
}

fn main() {
    example();
}
