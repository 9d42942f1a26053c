use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route POST "/" (multipart: Multipart) => async |_, _parts| ();
}

fn main() {
    let _ = example();
}
