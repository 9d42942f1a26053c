use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    public "files/fetches";
    route POST "/points" => async |_| ();
}

fn main() {
    let _ = example();
}
