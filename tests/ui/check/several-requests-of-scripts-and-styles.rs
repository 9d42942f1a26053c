use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    public "files/modules";
    route POST "/notes" (body: String) => async |_, note: String| text(note);
}

fn main() {
    let _ = example();
}
