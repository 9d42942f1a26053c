use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    views "files/forms";
    route GET "/" => view "index";
    route GET "/search" => async |_| text("found");
}

fn main() {
    let _ = example();
}
