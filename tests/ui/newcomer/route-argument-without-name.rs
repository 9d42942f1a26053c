//! A form; the argument is a type without a name.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    route POST "/broadcast" (Broadcast) => broadcast;
}

#[derive(Deserialize)]
struct Broadcast {
    text: String,
}

async fn broadcast(_: WebEvent, message: Broadcast) -> impl Reply {
    text(message.text)
}

fn main() -> pode::Result {
    news().run_blocking()
}
