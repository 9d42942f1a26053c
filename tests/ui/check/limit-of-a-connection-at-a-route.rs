use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route POST "/" (body: String) { limits: Limits { max_connections: 10 } } => async |_, body| text(body);
}

fn main() {
    example();
}
