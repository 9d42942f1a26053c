use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal WALL: Post -> Post = "/" { rebroadcast: Anyone } => rebroadcast;
}

#[derive(Serialize)]
struct Post;

fn main() {
    let _ = example();
}
