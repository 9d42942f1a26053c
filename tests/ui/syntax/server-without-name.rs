use pode::prelude::*;

pode_server! {
    pub server;
}

fn main() {}
