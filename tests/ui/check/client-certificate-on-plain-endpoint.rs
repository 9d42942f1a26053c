use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091" { client_certificate: optional("clients.pem").at_run_time() };
    signal NEWS: String = "/news";
}

fn main() {
    example();
}
