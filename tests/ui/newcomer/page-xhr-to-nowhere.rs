//! A note from a script; the address of the `XMLHttpRequest` is misspelled.

use pode::prelude::*;

pode_server! {
    server notes;
    endpoint http 8090;
    views "files/newcomer/page-xhr-to-nowhere";
    route GET "/" => view "index";
    route POST "/notes" (body: String) => async |_, body: String| text(body);
}

fn main() -> pode::Result {
    notes().run_blocking()
}
