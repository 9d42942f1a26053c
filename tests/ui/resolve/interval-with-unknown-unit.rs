use pode::prelude::*;

pode_server! {
    server example { send_timeout: 5m };
}

fn main() {
    example();
}
