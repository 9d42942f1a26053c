use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/users/:id" (ident: u64) => async |_, ident| text(ident.to_string());
}

fn main() {
    example();
}
