use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    endpoint ws   "127.0.0.1:8090";
    views "files/follows";
    signal NEWS: String = "/news";
    route GET "/" => view "index";
    route GET "/about" => async |_| text("about");
}

fn main() {
    let _ = example();
}
