//! A page with a style; its link names the folder, which is no part of the address.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    views "files/newcomer/public-folder-in-link/views";
    public "files/newcomer/public-folder-in-link/public";
    route GET "/" => view "index";
}

fn main() -> pode::Result {
    news().run_blocking()
}
