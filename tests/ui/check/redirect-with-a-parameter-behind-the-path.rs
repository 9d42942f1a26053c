use pode::prelude::*;

pode_server! {
    server example;
    endpoint http 8090;
    route GET "/old/:id" => redirect "/new?id=:id";
    route GET "/away/:id" => redirect "https://example.org/:id";
    route GET "/older/:id" => redirect "/new/user-:id/*id";
}

fn main() {
    example();
}
