use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/" => INDEX;
}

struct Index;

const INDEX: Index = Index;

fn main() {
    example();
}
