use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    mount "/shops/{shop}" pode::warp::any();
}

fn main() {
    example();
}
