use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/_pode/status" => async |_| text("well");
}

fn main() {
    let _ = example();
}
