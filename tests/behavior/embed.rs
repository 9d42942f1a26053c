//! Declared servers inside other applications.

use std::net::SocketAddr;

use hyper::Request;
use pode::prelude::*;
use tokio::net::{TcpListener, TcpStream};
use warp::Filter;

use crate::support::{Client, ask, http_2_over, request_at};

#[allow(dead_code, unreachable_pub, reason = "it is a program of its own")]
#[path = "../../examples/inside_axum/inside_axum.rs"]
mod inside_axum;

const FORM: [(&str, &str); 1] = [("Content-Type", "application/x-www-form-urlencoded")];

pode_server! {
    server shop;
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    public "behavior/files";
    signal NEWS: String = "/news";
    signal TICKS: u64 = "/ticks";
    timer "tick" every 20ms => async |event: TimerEvent| event.send(TICKS, &event.count()).await;
    route GET "/" => async |event: WebEvent| text(format!("shop {}", event.query()));
    route GET "/asked" => async |event: WebEvent| text(format!("{:?} {:?}", event.headers().get("host"), event.cookie("c")));
    route POST "/say" (body: String) => async |event: WebEvent, body| event.send(NEWS, &body).await;
}

/// Checks the page, a file, a refusal, a body, the signal and the timer, below
/// a prefix.
async fn check(address: SocketAddr, prefix: &str) {
    let at = |path: &str| format!("{prefix}{path}");
    assert_eq!(request_at(address, "GET", &at("/?a=b"), &[], b"").await.text(), "shop a=b");
    assert_eq!(
        request_at(address, "GET", &at("/plain.txt"), &[], b"").await.text(),
        "a plain file"
    );
    assert_eq!(
        request_at(address, "GET", &at("/unknown"), &[], b"").await.text(),
        "there is nothing at this path"
    );
    assert_eq!(request_at(address, "PUT", &at("/say"), &[], b"").await.headers["allow"], "POST");
    let mut client = Client::connect_at(address, &at("/news")).await.unwrap();
    assert_eq!(request_at(address, "POST", &at("/say"), &FORM, "hé".as_bytes()).await.status, 204);
    assert_eq!(client.text().await, "\"hé\"");
    let mut ticks = Client::connect_at(address, &at("/ticks")).await.unwrap();
    assert!(ticks.text().await.parse::<u64>().unwrap() > 0);

    // An application may use HTTP/2.
    let by_http_2 = async |method, path| {
        let uri = format!("http://shop.example{}", at(path));
        let request = Request::builder().method(method).uri(uri);
        let request = request.header("Cookie", "a=b").header("Cookie", "c=d");
        let stream = TcpStream::connect(address).await.unwrap();
        ask(http_2_over(stream).await, request.body(String::new()).unwrap()).await.unwrap()
    };
    assert_eq!(by_http_2("GET", "/asked").await.text(), r#"Some("shop.example") Some("d")"#);
    for (path, status, length) in
        [("/?a=b", 200, "8"), ("/plain.txt", 200, "13"), ("/unknown", 404, "30")]
    {
        let head = by_http_2("HEAD", path).await;
        assert_eq!((head.status, &*head.headers["content-length"]), (status, length), "{path}");
        assert!(head.body.is_empty());
    }
}

#[tokio::test]
async fn a_server_sits_under_a_prefix_of_a_warp_application() {
    let own = warp::path("own").map(|| "own");
    let application = own.or(warp::path("shop").and(shop().into_filter().unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(warp::serve(application).incoming(listener).run());
    check(address, "/shop").await;
    assert_eq!(request_at(address, "GET", "/own", &[], b"").await.text(), "own");
}

#[tokio::test]
async fn a_server_sits_under_a_prefix_of_an_axum_application() {
    let application = axum::Router::new().nest_service("/shop", shop().into_service().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, application).await });
    check(address, "/shop").await;
}

#[tokio::test]
async fn the_axum_example_shows_visits_to_its_own_route() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let application = inside_axum::application().unwrap();
    tokio::spawn(async move { axum::serve(listener, application).await });
    let page = request_at(address, "GET", "/", &[], b"").await;
    assert!(page.text().contains("<title>Inside axum</title>"));
    let mut client = Client::connect_at(address, "/visits").await.unwrap();
    assert_eq!(request_at(address, "GET", "/own", &[], b"").await.text(), "visit number 1");
    assert_eq!(client.text().await, "1");
}
