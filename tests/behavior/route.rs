//! Routes: requests, handlers' arguments, and responses.

use pode::prelude::*;
use serde_json::json as value;

use crate::support::{by_each_version, certificate, get, post_form, request};

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
    endpoint https "127.0.0.1:0" { certificate: certificate() };

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
    route GET "/asked" => async |event| text(format!("{} {} {}", event.method(), event.path(), event.query()));
}

async fn move_point(_: WebEvent, id: u8, point: Point) -> impl Reply {
    json(&value!({ "id": id, "point": { "x": point.x + 1, "y": point.y } }))
}

#[tokio::test]
async fn handlers_answer_with_what_they_return() {
    for server in by_each_version(routes).await {
        let root = get(&server, "/").await;
        assert_eq!((root.status, root.text()), (200, "root"));
        assert_eq!(root.headers["content-type"], "text/plain; charset=utf-8");
        assert_eq!(get(&server, "/nothing").await.status, 204);
        assert_eq!(get(&server, "/teapot").await.status, 418);
        let elsewhere = get(&server, "/elsewhere").await;
        assert_eq!((elsewhere.status, elsewhere.headers["location"].as_str()), (303, "/users/me"));
        assert_eq!(get(&server, "/asked?a=b").await.text(), "GET /asked a=b");
    }
}

#[tokio::test]
async fn the_more_specific_route_answers() {
    for server in by_each_version(routes).await {
        assert_eq!(get(&server, "/users/me").await.text(), "me");
        assert_eq!(get(&server, "/users/7/").await.text(), "user 7");
        assert_eq!(get(&server, "/users/J%C3%BCrgen/photo").await.text(), "Jürgen");
        assert_eq!(get(&server, "/files/a/b%20c").await.text(), "a/b c");
    }
}

#[tokio::test]
async fn arguments_come_from_the_query_a_form_and_json() {
    for server in by_each_version(routes).await {
        assert_eq!(get(&server, "/page?number=3&tags=a&tags=b").await.text(), r#"3 ["a", "b"]"#);
        let among_others = "/page?&=&=x&%zz&%ff=%ff&;&number=3&odd=%&tags=a";
        assert_eq!(get(&server, among_others).await.text(), r#"3 ["a"]"#);
        assert_eq!(
            post_form(&server, "/page", "number=4&tags=a+b%26").await.text(),
            r#"4 ["a b&"]"#
        );
        let json = [("Content-Type", "application/json; charset=utf-8")];
        let moved = request(&server, "PUT", "/points/5", &json, br#"{"x":1,"y":2}"#).await;
        assert_eq!((moved.status, moved.text()), (200, r#"{"id":5,"point":{"x":2,"y":2}}"#));
    }
}

#[tokio::test]
async fn a_body_of_a_mebibyte_is_taken() {
    for server in by_each_version(routes).await {
        let longest = format!("number=1&x={}", "a".repeat((1 << 20) - 11));
        assert_eq!(post_form(&server, "/page", &longest).await.status, 200);
    }
}

#[tokio::test]
async fn head_is_answered_as_get_without_the_body() {
    for server in by_each_version(routes).await {
        let head = request(&server, "HEAD", "/", &[], b"").await;
        assert_eq!(
            (head.status, head.headers["content-length"].as_str(), head.body.len()),
            (200, "4", 0)
        );
    }
}
