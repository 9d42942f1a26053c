use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route POST "/notes" (body: String) { max_body_bytes: 4096 } => async |_, body| text(body);
}

fn main() {
    example();
}
