//! Hand-over: valid code that is close to a mistake.

#![deny(warnings)]

use std::path::PathBuf;

use pode::HandOver;
use pode::prelude::*;

pode_server! {
    // PODE130: the time may be given or left out.
    server example { hand_over: "run/example.sock", drain: 1ms };
    endpoint ws "127.0.0.1:0";
    signal NEWS: String = "/news";
}

pode_server! {
    // PODE155: all messages have numbers then.
    server numbered { hand_over: "run/numbered.sock" };
    endpoint http 8090;
    endpoint ws   8090;
    views "ui/files/resumes";
    signal CHAT: String = "/chat";
    signal ROOM: String = "/rooms/:room" (room: String);
    route GET "/hello/:name" => view "index";
}

pode_server! {
    // PODE131: a path that is known only at run time, or none.
    server by_path(path: PathBuf) { hand_over: path };
}

pode_server! {
    server long {
        hand_over: "a-folder-with-a-long-name/a-folder-with-a-long-name/a-folder-with-a-long-name/shopxxx.sock",
    };
}

pode_server! {
    server maybe(path: Option<&'static str>) { hand_over: path, drain: 5s };
}

pode_server! {
    server made(hand_over: HandOver) { hand_over: hand_over };
}

#[test]
fn can_be_made() {
    let _ = (
        long(),
        example(),
        NEWS,
        numbered(),
        CHAT,
        ROOM,
        by_path("shop.sock".into()),
        maybe(None),
        made("x.sock".into()),
    );
}
