use pode::prelude::*;

struct Post;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route POST "/" (form: Post) => save;
}

async fn save(_: WebEvent, _: Post) {}

fn main() {
    example();
}
