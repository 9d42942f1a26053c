use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal ROOM: String = "/rooms" (item: Item);
}

pub struct Item;

fn main() {
    example();
}
