use pode::prelude::*;

pode_server! {
    server example;
    endpoint https "127.0.0.1:8443" {
        certificate: [
            pfx("/etc/a.pfx", password_from_env("A")).at_run_time(),
            pfx("/etc/a.pfx", password_from_env("A")).at_run_time(),
        ],
    };
    route GET "/" => async |_| text("hello");
}

fn main() {
    example();
}
