use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    endpoint ws "127.0.0.1:8090";
    views "files/misplaced/views";
    public "files/misplaced/public";
    signal NEWS: String = "/news";
    route GET "/" => view "index";
    route GET "/about" => view "about";
}

fn main() {
    let _ = example();
}
