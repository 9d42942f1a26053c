use pode::prelude::*;

pode_server! {
    server example(port: f64);
    endpoint http port;
}

fn main() {
    example(8090.0);
}
