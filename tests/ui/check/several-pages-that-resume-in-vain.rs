use pode::prelude::*;

pode_server! {
    server example;
    endpoint http 8090;
    endpoint ws   8090;
    views "files/resumed";
    signal BARE: String = "/bare";
    signal OWN: String = "/own";
    on connect OWN => async |_| {};
    signal CHAT: String = "/chat" { history_messages: 100 };
    signal ROOM: String = "/rooms/:room" (room: String) { history_messages: 100 };
    route GET "/:room" => view "index";
}

fn main() {
    let _ = example();
}
