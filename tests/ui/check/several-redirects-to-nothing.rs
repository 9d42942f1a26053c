use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    endpoint ws   "127.0.0.1:8090";
    signal NEWS: String = "/news";
    route GET  "/users/:id" (id: u64) => async |_, id: u64| text(id.to_string());
    route POST "/users" => async |_| text("made");
    route GET  "/people/:id" => redirect "/user/:id";
    route GET  "/start" => redirect "/welcome?from=start";
    route GET  "/people" => redirect "/users";
    route GET  "/latest" => redirect "/news";
}

fn main() {
    let _ = example();
}
