use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    views "files/vain";
    route GET "/" => view "index";
    route PUT, PATCH "/note" (body: String) => async |_, note: String| text(note);
}

fn main() {
    let _ = example();
}
