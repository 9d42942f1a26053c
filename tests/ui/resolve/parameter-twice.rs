use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/:id/:id" (id: u64) => async |_, id| text(format!("{id}"));
}

fn main() {
    let _ = example();
}
