use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090" { limits: Limits { head_timeout: 5s } };
    endpoint ws   "127.0.0.1:8090" { limits: Limits { head_timeout: 9s } };
    route GET "/" => async |_| text("hello");
    signal NEWS: String = "/news";
}

fn main() {
    example();
}
