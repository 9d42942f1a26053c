//! A vote by a form with one number; the form was taken as the number.

use pode::prelude::*;

pode_server! {
    server votes;
    endpoint http 8090;
    route POST "/votes" (form: u32) => vote;
}

async fn vote(_: WebEvent, choice: u32) -> impl Reply {
    text(choice.to_string())
}

fn main() -> pode::Result {
    votes().run_blocking()
}
