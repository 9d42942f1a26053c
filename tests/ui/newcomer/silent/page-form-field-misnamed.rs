//! A note from a form; the input's name isn't that of the struct's field.
//! The user gets 400. The macro sees the name of the struct, not its fields.

use pode::prelude::*;

pode_server! {
    server notes;
    endpoint http 8090;
    views "files/newcomer/page-form-field-misnamed";
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
