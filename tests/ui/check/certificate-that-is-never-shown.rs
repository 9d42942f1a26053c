use pode::prelude::*;

pode_server! {
    server example;
    endpoint https "127.0.0.1:8443" {
        certificate: [
            pem("files/certificates/chain.pem", "files/certificates/key.pem"),
            self_signed(),
            pem("files/certificates/twin.pem", "files/certificates/key.pem"),
        ],
    };
    route GET "/" => async |_| text("hello");
}

fn main() {
    example();
}
