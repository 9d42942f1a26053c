use pode::prelude::*;

pode_server! {
    server example;
    endpoint http 8090;
    endpoint ws   8090;
    views "files/hidden";
    signal CHAT: String = "/chat" { history_messages: 100 };
    route GET "/at/:position/:title" => view "index";
}

#[derive(Serialize, View)]
#[view("index", folder = "files/hidden")]
struct Index {
    title: String,
    position: u32,
    range: u32,
}

fn main() {
    let _ = example();
}
