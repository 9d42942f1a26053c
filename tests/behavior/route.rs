//! Routes: what is asked, what handlers get, what is answered.

use pode::prelude::*;
use serde_json::json as value;

use crate::support::{get, post_form, raw, request, start};

#[derive(Deserialize)]
struct Page {
    number: u32,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize, Serialize)]
struct Point {
    x: i32,
    y: i32,
}

pode_server! {
    server routes;
    endpoint http "127.0.0.1:0";

    route GET "/" => async |_| text("root");
    route GET "/nothing" => async |_| ();
    route GET "/teapot" => async |_| status(418);
    route GET "/elsewhere" => async |_| redirect("/users/me");
    route GET "/users/me" => async |_| text("me");
    route GET "/users/:id" (id: u64) => async |_, id| text(format!("user {id}"));
    route GET "/users/:id/photo" (id: String) => async |_, name: String| text(name);
    route GET "/files/*rest" (rest: String) => async |_, rest: String| text(rest);
    route GET "/page" (query: Page) => async |_, page: Page| text(format!("{} {:?}", page.number, page.tags));
    route POST "/page" (form: Page) => async |_, page: Page| text(format!("{} {:?}", page.number, page.tags));
    route POST, PUT "/points/:id" (id: u8, json: Point) => move_point;
    route GET "/refused" => async |_| Err::<(), _>(EventError::new(409, "not now"));
    route GET "/broken" => async |_| -> Result<(), std::num::ParseIntError> { "x".parse::<u8>().map(|_| ()) };
    route GET "/panics" => async |_| -> () { panic!("on purpose") };
    route GET "/asked" => async |event| text(format!("{} {} {}", event.method(), event.path(), event.query()));
}

async fn move_point(_: WebEvent, id: u8, point: Point) -> impl Reply {
    json(&value!({ "id": id, "point": { "x": point.x + 1, "y": point.y } }))
}

#[tokio::test]
async fn handlers_answer_with_what_they_return() {
    let server = start(routes()).await;
    let root = get(&server, "/").await;
    assert_eq!((root.status, root.text()), (200, "root"));
    assert_eq!(root.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(get(&server, "/nothing").await.status, 204);
    assert_eq!(get(&server, "/teapot").await.status, 418);
    let elsewhere = get(&server, "/elsewhere").await;
    assert_eq!((elsewhere.status, elsewhere.headers["location"].as_str()), (303, "/users/me"));
    assert_eq!(get(&server, "/asked?a=b").await.text(), "GET /asked a=b");
}

#[tokio::test]
async fn the_more_specific_route_answers() {
    let server = start(routes()).await;
    assert_eq!(get(&server, "/users/me").await.text(), "me");
    assert_eq!(get(&server, "/users/7/").await.text(), "user 7");
    assert_eq!(get(&server, "/users/J%C3%BCrgen/photo").await.text(), "Jürgen");
    assert_eq!(get(&server, "/files/a/b%20c").await.text(), "a/b c");
}

#[tokio::test]
async fn arguments_come_from_the_query_a_form_and_json() {
    let server = start(routes()).await;
    assert_eq!(get(&server, "/page?number=3&tags=a&tags=b").await.text(), r#"3 ["a", "b"]"#);
    assert_eq!(post_form(&server, "/page", "number=4&tags=a+b%26").await.text(), r#"4 ["a b&"]"#);
    let json = [("Content-Type", "application/json; charset=utf-8")];
    let moved = request(&server, "PUT", "/points/5", &json, br#"{"x":1,"y":2}"#).await;
    assert_eq!((moved.status, moved.text()), (200, r#"{"id":5,"point":{"x":2,"y":2}}"#));
}

#[tokio::test]
async fn what_a_handler_cannot_take_is_answered_with_the_reason() {
    let server = start(routes()).await;
    let json = [("Content-Type", "application/json")];

    let missing = post_form(&server, "/page", "numbr=4").await;
    assert_eq!((missing.status, missing.text()), (400, "form: missing field `number`"));
    let wrong = post_form(&server, "/page", "number=four").await;
    assert_eq!(
        (wrong.status, wrong.text()),
        (400, "form: field `number`: invalid digit found in string")
    );
    let wrong = get(&server, "/page?number=-1").await;
    assert_eq!(
        (wrong.status, wrong.text()),
        (400, "query: field `number`: invalid digit found in string")
    );
    let wrong = get(&server, "/users/x").await;
    assert_eq!(
        (wrong.status, wrong.text()),
        (400, "path parameter `id`: invalid digit found in string")
    );

    let wrong = request(&server, "POST", "/points/5", &json, br#"{"x":1,"y":"z"}"#).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.text().starts_with("json: field `y`: invalid type"), "{}", wrong.text());
    let broken = request(&server, "POST", "/points/5", &json, br#"{"x":1,"y":2} more"#).await;
    assert_eq!(broken.status, 400);

    let other = request(&server, "POST", "/page", &json, b"{}").await;
    assert_eq!(other.status, 415);
    assert_eq!(
        other.text(),
        "the content type must be application/x-www-form-urlencoded; found \"application/json\""
    );
    assert_eq!(request(&server, "POST", "/points/5", &[], b"{}").await.status, 415);
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_announced_or_not() {
    let server = start(routes()).await;
    let address = server.address(pode::Protocol::Http).unwrap();
    let announced = "POST /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 99999999\r\n\r\n";
    assert_eq!(raw(address, announced.as_bytes()).await.status, 413);

    let mut chunked = "POST /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
        .to_owned();
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 16, "a".repeat(1 << 16));
    // One byte more than the limit is enough, and the last that is sent.
    chunked.push_str(&chunk.repeat(16));
    chunked.push_str("1\r\na\r\n");
    assert_eq!(raw(address, chunked.as_bytes()).await.status, 413);

    let longest = format!("number=1&x={}", "a".repeat((1 << 20) - 11));
    assert_eq!(post_form(&server, "/page", &longest).await.status, 200);
}

#[tokio::test]
async fn errors_and_panics_become_answers_and_nothing_stops() {
    let server = start(routes()).await;
    let refused = get(&server, "/refused").await;
    assert_eq!((refused.status, refused.text()), (409, "not now"));
    for path in ["/broken", "/panics"] {
        let failed = get(&server, path).await;
        assert_eq!(
            (failed.status, failed.text()),
            (500, "the server could not answer this request")
        );
    }
    assert_eq!(get(&server, "/").await.status, 200);
}

#[tokio::test]
async fn unknown_paths_are_404_and_other_methods_405() {
    let server = start(routes()).await;
    for path in ["/unknown", "//", "/users//photo", "/%FF", "/users/%00%"] {
        let status = get(&server, path).await.status;
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
    assert_eq!(get(&server, "/unknown").await.text(), "there is nothing at this path");
    let other = request(&server, "DELETE", "/page", &[], b"").await;
    assert_eq!((other.status, other.headers["allow"].as_str()), (405, "GET, HEAD, POST"));
    let other = request(&server, "BREW", "/users/me", &[], b"").await;
    assert_eq!((other.status, other.headers["allow"].as_str()), (405, "GET, HEAD"));
    let head = request(&server, "HEAD", "/", &[], b"").await;
    assert_eq!(
        (head.status, head.headers["content-length"].as_str(), head.body.len()),
        (200, "4", 0)
    );
}
