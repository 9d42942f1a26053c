use pode::prelude::*;

pode_server! {
    server example;
    endpoint http 8090 { trusted_proxies: ["localhost", "10.1.2.3/8"] };
    endpoint ws 8091 { trusted_proxies: forwarded_by(["fd00::/129"]) };
    route GET "/" => async |_| text("a page");
    signal NEWS: String = "/news";
}

fn main() {
    example();
}
