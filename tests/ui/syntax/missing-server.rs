use pode::prelude::*;

pode_server! {
    endpoint http "127.0.0.1:8090";
}

fn main() {}
