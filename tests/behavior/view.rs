//! Views over a socket.

use pode::prelude::*;
use serde_json::json as value;

use crate::support::{by_each_version, certificate, get};

pode_server! {
    server views;
    endpoint http "127.0.0.1:0";
    endpoint https "127.0.0.1:0" { certificate: certificate() };
    views "behavior/views";
    route GET "/" => view "index";
    route GET "/hello/:name" => view "hello";
    route GET "/list" => async |_| view("parts/list").with(&value!({ "names": ["Ada", "<Bob>"] }));
    route GET "/forgotten" => async |_| view("hello");
    route GET "/missing" => async |_| view("missing");
}

#[tokio::test]
async fn views_are_made_from_templates_parameters_and_data() {
    for server in by_each_version(views).await {
        let index = get(&server, "/").await;
        assert_eq!((index.status, index.text()), (200, "<p>index</p>"));
        assert_eq!(index.headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(get(&server, "/hello/%3Cb%3E").await.text(), "<p>Hello, &lt;b&gt;!</p>");
        assert_eq!(get(&server, "/list").await.text(), "<li>Ada</li><li>&lt;Bob&gt;</li>");
    }
}

#[tokio::test]
async fn a_view_that_cannot_be_shown_is_a_500_that_tells_nothing() {
    for server in by_each_version(views).await {
        for path in ["/forgotten", "/missing"] {
            let answer = get(&server, path).await;
            assert_eq!(
                (answer.status, answer.text()),
                (500, "the server could not answer this request"),
                "{path}"
            );
        }
    }
}
