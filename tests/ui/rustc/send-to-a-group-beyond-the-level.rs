use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal SECRETS: String = "/" { level: Client };
    timer "leak" every 5s => async |event| event.send(SECRETS, &String::new()).to_group("all").await;
}

fn main() {
    let _ = example();
}
