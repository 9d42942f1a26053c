use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    endpoint ws "127.0.0.1:8090";
    views "files/values";
    signal ROOM: String = "/rooms/:room" (room: u16);
    route GET "/" => view "index";
    route GET "/users/:id" (id: u64) => async |_, id: u64| text(id.to_string());
}

fn main() {
    let _ = example();
}
