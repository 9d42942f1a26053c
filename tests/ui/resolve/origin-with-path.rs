use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws 8091;
    signal NEWS: String = "/news" { origins: pages_of(["https://shop.example/", "shop.example"]) };
}

fn main() {
    example();
}
