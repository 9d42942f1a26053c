use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route POST "/" (from: Post) => async |_, _: Post| ();
}

pub struct Post;

fn main() {
    example();
}
