use pode::prelude::*;

pode_server! {
    server example;
    schedule "sample" cron "@hourly" { on: OneNod } => async |_| {};
}

fn main() {
    let _ = example();
}
