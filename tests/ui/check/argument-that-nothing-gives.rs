use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route POST "/" (item: Item) => async |_, _: Item| ();
}

pub struct Item;

fn main() {
    example();
}
