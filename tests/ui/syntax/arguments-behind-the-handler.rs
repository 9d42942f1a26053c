use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/users/:id" => show(id: u64);
}

async fn show(_: WebEvent, id: u64) -> impl Reply {
    text(format!("user {id}"))
}

fn main() {
    example();
}
