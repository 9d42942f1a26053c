//! Origins: whose pages may connect to a signal.

use pode::prelude::*;
use pode::{Protocol, RunningServer, StartError};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, http};

use crate::support::start;

pode_server! {
    server guarded;
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    signal NEWS: String = "/news";
    signal SHOP: String = "/shop" { origins: pages_of(["https://shop.example"]) };
    signal OPEN: String = "/open" { origins: AnyPage };
    route GET "/" => async |_| text("a page");
}

/// Connects as a page of an origin does, and returns the status and the text of
/// a refusal.
async fn connect(server: &RunningServer, path: &str, origin: Option<&str>) -> (u16, String) {
    let address = server.address(Protocol::Ws).unwrap();
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    if let Some(origin) = origin {
        request.headers_mut().insert(http::header::ORIGIN, origin.parse().unwrap());
    }
    match tokio_tungstenite::connect_async(request).await {
        Ok((_, response)) => (response.status().as_u16(), String::new()),
        Err(tungstenite::Error::Http(response)) => {
            let text = response.body().clone().unwrap_or_default();
            (response.status().as_u16(), String::from_utf8(text).unwrap())
        }
        Err(error) => panic!("no handshake: {error}"),
    }
}

#[tokio::test]
async fn own_pages_and_programs_may_connect_and_strangers_may_not() {
    let server = start(guarded()).await;
    let page = server.address(Protocol::Http).unwrap();
    let own = format!("http://{page}");
    let other_name = format!("http://localhost:{}", page.port());
    for origin in [None, Some(own.as_str()), Some(other_name.as_str())] {
        assert_eq!(connect(&server, "/news", origin).await.0, 101, "{origin:?}");
    }
    let alike = format!("http://{page}.evil.example");
    let elsewhere = "http://127.0.0.1:1";
    for origin in ["null", "https://evil.example", elsewhere, &alike] {
        let (status, text) = connect(&server, "/news", Some(origin)).await;
        assert_eq!(status, 403, "{origin}");
        assert_eq!(text, "pages of this origin may not connect here\n");
    }
}

#[tokio::test]
async fn a_signal_may_let_others_in() {
    let server = start(guarded()).await;
    let shop = Some("https://shop.example");
    assert_eq!(connect(&server, "/shop", shop).await.0, 101);
    assert_eq!(connect(&server, "/shop", Some("http://shop.example")).await.0, 403);
    assert_eq!(connect(&server, "/news", shop).await.0, 403);
    assert_eq!(connect(&server, "/open", shop).await.0, 101);
    assert_eq!(connect(&server, "/open", Some("null")).await.0, 101);
}

#[tokio::test]
async fn an_origin_that_only_the_run_time_knows_is_judged_at_the_start() {
    let domain = "shop.example".to_owned();
    pode_server! {
        server configured(domain: String);
        endpoint ws "127.0.0.1:0";
        signal NEWS: String = "/news" { origins: pages_of([domain]) };
    }
    let error = configured(domain).start().await.unwrap_err();
    let pode::Error::Start(error @ StartError::Origin { .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(
        error.to_string(),
        "signal `/news` can't let pages in: origin `shop.example` doesn't begin with the scheme \
         of a page, such as `https://`; write `https://shop.example`, as a browser sends it"
    );
}
