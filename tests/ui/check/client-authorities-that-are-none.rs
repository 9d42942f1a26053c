use pode::prelude::*;

pode_server! {
    server example;
    endpoint https "127.0.0.1:8443" {
        certificate: self_signed(),
        client_certificate: required("files/certificates/key.pem"),
    };
    route GET "/" => async |_| text("hello");
}

fn main() {
    example();
}
