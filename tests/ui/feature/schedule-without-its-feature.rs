use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/" => async |_| text("hello");
    schedule "nightly" cron "0 0 * * *" => async |_| ();
}

fn main() {
    let _ = example();
}
