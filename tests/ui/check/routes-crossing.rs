use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/a/:x" (x: String) => async |_, x| text(x);
    route GET "/:y/b" (y: String) => async |_, y| text(y);
}

fn main() {
    example();
}
