use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route POST "/" { origins: pages_of("https://shop.example") } => async |_| ();
}

fn main() {
    example();
}
