use pode::prelude::*;

pode_server! {
    server example;
    endpoint https "127.0.0.1:8443" {
        certificate: self_signed(),
        client_certificate: required("clients.pem").at_run_time(),
    };
    endpoint wss "127.0.0.1:8443" {
        client_certificate: optional("clients.pem").at_run_time(),
    };
    route GET "/" => async |_| text("hello");
    signal NEWS: String = "/news";
}

fn main() {
    example();
}
