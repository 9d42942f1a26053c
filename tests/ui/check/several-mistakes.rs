use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    endpoint ws "127.0.0.1:port";
    signal NEWS: String = "news";
    rout GET "/" => hello;
    route GET "about" => about;
    route POST "/" => hello;
    route POST "/" => hello;
}

async fn hello(event: WebEvent) -> Result<(), SendError> {
    event.send(NEWS, &"hello".to_owned()).await
}

async fn about(_: WebEvent) {}

fn main() {
    example();
}
