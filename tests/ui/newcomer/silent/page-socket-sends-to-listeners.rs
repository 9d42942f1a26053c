//! A chat; the page sends messages to a signal whose clients only listen.
//! The client is closed with 1003.

use pode::prelude::*;

pode_server! {
    server chat;
    endpoint http 8090;
    endpoint ws 8090;
    views "files/newcomer/page-socket-sends-to-listeners";
    signal CHAT: String = "/chat";
    route GET "/" => view "index";
    timer "tell" every 1min => async |event| event.send(CHAT, &"here".to_owned()).await;
}

fn main() -> pode::Result {
    chat().run_blocking()
}
