use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    views "files/unfit";
    route GET "/latin" => view "latin";
    route GET "/link" => view "link";
    route GET "/linked" => view "linked/head";
    route GET "/hidden" => view ".hidden";
    route GET "/folder" => view "folder";
}

fn main() {
    let _ = example();
}
