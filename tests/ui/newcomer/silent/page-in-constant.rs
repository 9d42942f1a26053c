//! Two pages; the first is a constant, as in the README, with a misspelled link.
//! The link is dead. Only files are read, not the constants of a program.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    route GET "/" => async |_| html(PAGE);
    route GET "/about" => async |_| text("about");
}

const PAGE: &str = r#"<!doctype html><title>News</title><a href="/abuot">About</a>"#;

fn main() -> pode::Result {
    news().run_blocking()
}
