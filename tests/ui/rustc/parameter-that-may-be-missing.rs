use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/list/:page" (page: Option<u32>) => async |_, _| ();
}

fn main() {
    example();
}
