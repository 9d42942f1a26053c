//! A note to change; HTML forms know no PUT and send GET.

use pode::prelude::*;

pode_server! {
    server notes;
    endpoint http 8090;
    views "files/newcomer/page-form-put";
    route GET "/" => view "index";
    route PUT "/note" (form: Draft) => replace;
}

#[derive(Deserialize)]
struct Draft {
    text: String,
}

async fn replace(_: WebEvent, draft: Draft) -> impl Reply {
    text(draft.text)
}

fn main() -> pode::Result {
    notes().run_blocking()
}
