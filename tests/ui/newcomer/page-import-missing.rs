//! A page with a module; the imported file's name is misspelled.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    public "files/newcomer/page-import-missing";
}

fn main() -> pode::Result {
    news().run_blocking()
}
