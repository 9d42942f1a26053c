//! A note from a form; the input has an id instead of a name.
//! The browser doesn't send the input, and the user gets 400.

use pode::prelude::*;

pode_server! {
    server notes;
    endpoint http 8090;
    views "files/newcomer/page-input-without-name";
    route GET "/" => view "index";
    route POST "/notes" (form: Draft) => add;
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
