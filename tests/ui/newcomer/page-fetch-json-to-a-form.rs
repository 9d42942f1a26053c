//! A note from a script; the script sends JSON, the route takes a form.

use pode::prelude::*;

pode_server! {
    server notes;
    endpoint http 8090;
    views "files/newcomer/page-fetch-json-to-a-form";
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
