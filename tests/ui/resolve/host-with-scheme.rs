use pode::prelude::*;

pode_server! {
    server example;
    endpoint http 8090 { hosts: ["https://shop.example", "shop.example:8090"] };
    route GET "/" => async |_| text("a page");
}

fn main() {
    example();
}
