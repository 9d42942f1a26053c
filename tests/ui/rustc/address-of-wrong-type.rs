use pode::prelude::*;

pode_server! {
    server example(port: f64);
    endpoint http port;
    route GET "/" => async |_| text("hello");
}

fn main() {
    example(8090.0);
}
