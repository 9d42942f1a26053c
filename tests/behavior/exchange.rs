//! HTTP's rules for requests and responses, with each of its versions.

use futures_util::stream;
use hyper::Request;
use hyper::header::HeaderValue;
use pode::Protocol;
use pode::prelude::*;
use pode::warp::{self, Filter};

use crate::support::{Answer, Versioned, ask, by_each_version, certificate, get, http_2, request};

pode_server! {
    server careless;
    endpoint http "127.0.0.1:0" { hosts: ["shop.example"] };
    endpoint https "127.0.0.1:0" { hosts: ["shop.example"], certificate: certificate() };
    public "behavior/files";
    mount "/pieces" warp::any().map(|| warp::reply::stream(stream::iter(["two", "pieces"].map(Ok::<_, std::io::Error>))));
    route GET "/" => async |_| text("root");
    route HEAD "/measured" => async |_| ().with_status(200).with_header("Content-Length", "1234");
    route GET "/status/:status" (status: u16) => async |_, status| text("a body").with_status(status).with_header("Content-Length", "6");
    route GET "/shorter" => async |_| text("a body").with_header("Content-Length", "3");
    route GET "/longer" => async |_| text("a body").with_header("Content-Length", "300");
    route GET "/nonsense" => async |_| text("a body").with_header("Content-Length", "six");
    route GET "/coded" => async |_| text("a body").with_header("Transfer-Encoding", "gzip");
    route GET "/hops" => async |_| text("a body")
        .with_header("Connection", "close, X-Hop")
        .with_header("X-Hop", "a")
        .with_header("TE", "gzip")
        .with_header("Keep-Alive", "timeout=5")
        .with_header("Proxy-Connection", "close");
    route GET "/panics" => async |_| -> () { panic!("on purpose") };
    route GET "/asked" => async |event: WebEvent| text(format!("{:?} {:?}", all(&event, "host"), all(&event, "cookie")));
}

fn all<'event>(event: &'event WebEvent, name: &str) -> Vec<&'event HeaderValue> {
    event.headers().get_all(name).iter().collect()
}

fn length(answer: &Answer) -> Option<&str> {
    answer.headers.get("content-length").map(String::as_str)
}

#[tokio::test]
async fn head_is_answered_as_get_whatever_answers() {
    for server in by_each_version(careless).await {
        for path in ["/", "/plain.txt", "/unknown", "/panics", "/status/201", "/status/404"] {
            let by_get = get(&server, path).await;
            let by_head = request(&server, "HEAD", path, &[], b"").await;
            assert_eq!((by_head.status, by_head.body.len()), (by_get.status, 0), "{path}");
            assert_eq!(length(&by_head), Some(&*by_get.body.len().to_string()), "{path}");
            assert_eq!(by_head.headers["content-type"], by_get.headers["content-type"]);
        }
        assert!(get(&server, "/pieces").await.text().contains("pieces"));
        let pieces = request(&server, "HEAD", "/pieces", &[], b"").await;
        assert_eq!((pieces.status, length(&pieces), pieces.body.len()), (200, None, 0));
        let measured = request(&server, "HEAD", "/measured", &[], b"").await;
        assert_eq!((length(&measured), measured.body.len()), (Some("1234"), 0));
    }
}

#[tokio::test]
async fn a_status_without_content_has_none() {
    for server in by_each_version(careless).await {
        for status in [204, 205, 304] {
            let answer = get(&server, &format!("/status/{status}")).await;
            assert_eq!((answer.status, answer.body.len()), (status, 0));
            assert!(matches!(length(&answer), None | Some("0")), "{status}: {:?}", length(&answer));
        }
    }
}

#[tokio::test]
async fn what_is_no_answer_is_a_500() {
    for server in by_each_version(careless).await {
        for status in [100, 101, 103] {
            let answer = get(&server, &format!("/status/{status}")).await;
            let sentence = "the server could not answer this request";
            assert_eq!((answer.status, answer.text()), (500, sentence), "{status}");
        }
    }
}

#[tokio::test]
async fn a_length_is_that_of_the_body() {
    for server in by_each_version(careless).await {
        for path in ["/shorter", "/longer", "/nonsense", "/coded"] {
            let answer = get(&server, path).await;
            assert_eq!((answer.text(), length(&answer)), ("a body", Some("6")), "{path}");
            assert!(!answer.headers.contains_key("transfer-encoding"), "{path}");
        }
    }
}

#[tokio::test]
async fn headers_of_a_connection_dont_travel_by_http_2() {
    let [by_http_1, by_http_2] = by_each_version(careless).await;
    assert_eq!(get(&by_http_1, "/hops").await.headers["connection"], "close, X-Hop");
    // Whether this one would depends on hyper's features, so it never does.
    assert!(!get(&by_http_1, "/hops").await.headers.contains_key("te"));
    let answer = get(&by_http_2, "/hops").await;
    assert_eq!(answer.text(), "a body");
    for name in ["connection", "x-hop", "keep-alive", "proxy-connection", "te"] {
        assert!(!answer.headers.contains_key(name), "{name}");
    }
}

/// Requests `/asked` over HTTP/2 at a host, with further headers.
async fn ask_at(server: &Versioned, host: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(format!("https://{host}/asked"));
    for (name, value) in headers {
        request = request.header(*name, value.as_bytes());
    }
    let requests = http_2(server.address(Protocol::Https).unwrap()).await;
    ask(requests, request.body(String::new()).unwrap()).await.expect("the server answers")
}

#[tokio::test]
async fn handlers_see_one_host_and_one_line_of_cookies() {
    let [by_http_1, by_http_2] = by_each_version(careless).await;
    let cookies = [("Cookie", "a=b"), ("Cookie", "c=d; e=f")];
    let said = |host: &str| format!(r#"["{host}"] ["a=b; c=d; e=f"]"#);
    let answer = ask_at(&by_http_2, "shop.example:81", &cookies).await;
    assert_eq!(answer.text(), said("shop.example:81"));
    // The target takes precedence.
    let answer = request(&by_http_1, "GET", "http://shop.example/asked", &cookies, b"").await;
    assert_eq!(answer.text(), said("shop.example"));
}

#[tokio::test]
async fn a_request_by_http_2_has_as_many_headers_as_may_be() {
    let [_, server] = by_each_version(careless).await;
    let ask = async |headers: &[(&'static str, &str)]| ask_at(&server, "localhost", headers).await;
    assert_eq!(ask(&[("x-one", "more"); 100]).await.status, 200);
    // Each cookie may be a header of its own.
    assert_eq!(ask(&[("cookie", "one=more"); 200]).await.status, 200);
    let refused = ask(&[("x-one", "more"); 101]).await;
    assert_eq!((refused.status, refused.text()), (431, "a request has at most 100 headers"));
}

#[tokio::test]
async fn a_request_by_http_2_names_its_host_once() {
    let [_, server] = by_each_version(careless).await;
    for host in ["localhost", "LOCALHOST", "localhost:443"] {
        assert_eq!(ask_at(&server, "localhost", &[("Host", host)]).await.status, 200, "{host}");
    }
    for hosts in [
        &["evil.example"][..],
        &["localhost:80"],
        &["localhost", "localhost"],
        &["a b"],
        &["localhost\u{fc}"],
    ] {
        let hosts: Vec<_> = hosts.iter().map(|host| ("Host", *host)).collect();
        let answer = ask_at(&server, "localhost", &hosts).await;
        assert_eq!((answer.status, answer.text()), (400, "a request names its host, once"));
    }
    assert_eq!(ask_at(&server, "user@localhost", &[]).await.status, 400);
    let head = request(&server, "HEAD", "/", &[("Host", "evil.example")], b"").await;
    assert_eq!((head.status, head.body.len()), (400, 0));
}
