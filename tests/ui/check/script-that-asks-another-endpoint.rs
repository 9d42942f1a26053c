use pode::prelude::*;

pode_server! {
    server example;
    endpoint outer http "127.0.0.1:8090";
    endpoint inner http "127.0.0.1:8091";
    public "files/asks";
    route GET "/points" { endpoint: outer } => async |_| ();
}

fn main() {
    let _ = example();
}
