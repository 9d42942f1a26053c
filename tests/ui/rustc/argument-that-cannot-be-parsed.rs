use pode::prelude::*;

struct Id;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/users/:id" (id: Id) => show;
}

async fn show(_: WebEvent, _: Id) {}

fn main() {
    example();
}
