//! An endpoint for two hosts; the option was written once for each.
//! Told 2 times: where it stands now, and where it stands first.

use pode::prelude::*;

pode_server! {
    server shop;
    endpoint http "127.0.0.1:8090" { hosts: ["shop.example"], hosts: ["www.shop.example"] };
    route GET "/" => async |_| text("hello");
}

fn main() -> pode::Result {
    shop().run_blocking()
}
