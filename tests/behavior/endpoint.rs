//! Endpoints: where servers listen, and what each serves.

use pode::prelude::*;
use pode::{Address, Protocol};

use crate::support::{Client, get, request_at, start};

pode_server! {
    server on_one_port;
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    signal NEWS: String = "/news";
    route GET "/" => async |_| text("page");
    route GET "/news" => async |_| text("the same path, asked for as a page");
    route POST "/news" => async |_| ();
}

#[tokio::test]
async fn http_and_ws_share_an_address() {
    let server = start(on_one_port()).await;
    let address = server.address(Protocol::Http).unwrap();
    assert_eq!(server.address(Protocol::Ws), Some(address));
    let mut client = Client::connect(&server, "/news").await;
    assert_eq!(get(&server, "/").await.text(), "page");
    assert_eq!(get(&server, "/news").await.text(), "the same path, asked for as a page");
    server.signals().send(NEWS, &"hi".to_owned()).await.unwrap();
    assert_eq!(client.text().await, "\"hi\"");
    assert_eq!(Client::connect_at(address, "/").await.err(), Some(200), "a page is no signal");
}

pode_server! {
    server two_doors;
    endpoint front http "127.0.0.1:0";
    endpoint back  http "127.0.0.1:0";
    endpoint ws 0;
    endpoint side ws "127.0.0.1:0";
    signal FOR_ALL: u32 = "/";
    signal ASIDE: u32 = "/aside" { endpoint: side };
    route GET "/" => async |_| text("for all");
    route GET "/" { endpoint: back } => async |_| text("behind");
    route GET "/both" { endpoint: [front, back] } => async |_| text("both");
}

#[tokio::test]
async fn routes_and_signals_choose_their_endpoints() {
    let server = start(two_doors()).await;
    let of = |name: Option<&str>, protocol| {
        let mut endpoints = server.endpoints().iter();
        endpoints
            .find(|endpoint| endpoint.name == name && endpoint.protocol == protocol)
            .unwrap()
            .address
    };
    let (front, back) = (of(Some("front"), Protocol::Http), of(Some("back"), Protocol::Http));
    assert_eq!(request_at(front, "GET", "/", &[], b"").await.text(), "for all");
    assert_eq!(request_at(back, "GET", "/", &[], b"").await.text(), "behind");
    assert_eq!(request_at(front, "GET", "/both", &[], b"").await.text(), "both");
    assert_eq!(request_at(back, "GET", "/both", &[], b"").await.text(), "both");

    let (ws, side) = (of(None, Protocol::Ws), of(Some("side"), Protocol::Ws));
    assert_eq!(Client::connect_at(ws, "/aside").await.err(), Some(404));
    for (address, path) in [(ws, "/"), (side, "/"), (side, "/aside")] {
        assert!(Client::connect_at(address, path).await.is_ok(), "{path}");
    }
}

pode_server! {
    server at(first: Address, second: Address);
    endpoint http first;
    endpoint inner http second;
    route GET "/" => async |_| ();
}

#[tokio::test]
async fn a_taken_port_is_told_and_nothing_is_left_half_started() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = at(free.into(), taken.into()).start().await.unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        format!("endpoint `inner http` can't listen on {taken}, which is already in use")
    );
    std::net::TcpListener::bind(free).expect("the first endpoint is free again");
}

#[tokio::test]
async fn an_address_made_at_run_time_is_judged_at_the_start() {
    let error = at("127.0.0.1:0".into(), "127.0.0.1".into()).start().await.unwrap_err();
    let sentence = "endpoint `inner http`: address `127.0.0.1` has no port; write `\"127.0.0.1:8090\"`, or port 0 for a free one";
    assert_eq!(error.to_string(), sentence);
}
