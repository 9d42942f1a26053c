use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal NEWS: String = "/news";
    backplane redis "rediss://localhost" { roots: "root.pem" };
}

fn main() {
    let _ = (example(), NEWS);
}
