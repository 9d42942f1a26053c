//! What is almost a mistake, and isn't.

use pode::Address;
use pode::prelude::*;

pode_server! {
    pub server example(address: Address, route: u16) { send_timeout: 1_500ms, };

    endpoint http "*:8090";
    endpoint ws "0.0.0.0:8090";
    endpoint http address;
    endpoint inner http route;
    endpoint http "[::1]:8090";

    signal CHAT: String = "/";
    #[cfg(any())]
    signal CHAT: u32 = "/";
    signal NEWS: Vec<(u8, String)> = "/news" { capacity_messages: 1 };

    route GET "/" => async |_| text("hello");
    route GET "/" { endpoint: inner } => async |_| text("hello, neighbour");
    route POST, PUT "/" => async |event: WebEvent| event.send(CHAT, &"hello".to_owned()).await;
    route GET "/users/me" => async |_| text("me");
    route GET "/users/:id" (id: u64) => async |_, id| text(id.to_string());
    route DELETE "/users/:name" (name: String) => async |_, name: String| text(name);
    route GET "/*rest" (rest: String) => async |_, rest: String| {
        let route = rest.len();
        let view = route;
        let state = view;
        text(state.to_string())
    };
    #[cfg(any())]
    route GET "/" => nobody;
}

// The words are free for other uses.
#[allow(dead_code)]
fn server(endpoint: u8, signal: u8) -> u8 {
    let (public, views, http, ws) = (endpoint, signal, 1, 2);
    public + views + http + ws
}

fn main() {
    let _ = (example("127.0.0.1:0".into(), 0), CHAT, NEWS);
}
