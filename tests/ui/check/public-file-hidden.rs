use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    public "files/plain";
    route GET "/:page" (page: String) => async |_, page: String| text(page);
}

fn main() {
    let _ = example();
}
