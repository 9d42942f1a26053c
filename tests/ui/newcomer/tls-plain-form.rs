//! A vote over TLS; the form names the address by `http`.

use pode::prelude::*;

pode_server! {
    server votes;
    endpoint https "127.0.0.1:8443" { certificate: self_signed() };
    views "files/newcomer/tls-plain-form";
    route GET "/" => view "index";
    route POST "/votes" (form: Vote) => vote;
}

#[derive(Deserialize)]
struct Vote {
    choice: String,
}

async fn vote(_: WebEvent, vote: Vote) -> impl Reply {
    text(vote.choice)
}

fn main() -> pode::Result {
    votes().run_blocking()
}
