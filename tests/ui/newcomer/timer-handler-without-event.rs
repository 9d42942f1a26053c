//! Something every minute; the handler takes nothing.

use pode::prelude::*;

pode_server! {
    server house;
    timer "clean" every 1min => clean;
}

async fn clean() {
    println!("cleaned");
}

fn main() -> pode::Result {
    house().run_blocking()
}
