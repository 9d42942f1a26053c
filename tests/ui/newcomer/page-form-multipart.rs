//! A note from a form; the page sends it in parts, which the route doesn't take.

use pode::prelude::*;

pode_server! {
    server notes;
    endpoint http 8090;
    views "files/newcomer/page-form-multipart";
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
