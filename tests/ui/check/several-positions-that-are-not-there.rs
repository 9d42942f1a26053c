use pode::prelude::*;

pode_server! {
    server example;
    endpoint http 8090;
    endpoint ws   8090;
    views "files/positions";
    signal CHAT: String = "/chat";
    signal NEWS: String = "/news" { history_messages: 100 };
    signal ROOM: String = "/rooms/:room" (room: String) { history_messages: 100 };
    route GET "/:name" => view "index";
}

// What it asks for is the server's matter, how it asks isn't.
#[derive(Serialize, View)]
#[view("index", folder = "files/positions")]
struct Index {
    name: String,
}

fn main() {
    let _ = example();
}
