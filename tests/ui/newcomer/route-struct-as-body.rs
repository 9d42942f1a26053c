//! A note in JSON; the struct was taken as `body` instead of `json`.

use pode::prelude::*;

pode_server! {
    server notes;
    endpoint http 8090;
    route POST "/notes" (body: Draft) => add;
}

#[derive(Deserialize)]
struct Draft {
    text: String,
}

async fn add(_: WebEvent, draft: Draft) -> impl Reply {
    text(draft.text)
}

fn main() -> pode::Result {
    notes().run_blocking()
}
