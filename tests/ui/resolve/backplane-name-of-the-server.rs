use pode::prelude::*;

pode_server! {
    server größe;
    endpoint ws "127.0.0.1:8091";
    signal NEWS: String = "/news";
    backplane redis "redis://localhost";
}

fn main() {
    let _ = (größe(), NEWS);
}
