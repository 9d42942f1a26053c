//! Views over a socket.

use std::collections::BTreeMap;

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
    route GET "/typed" => async |_| Ok::<_, EventError>(List { them: &["Ada"] });
    route GET "/forgotten" => async |_| view("hello").with(&BTreeMap::from([("nmae", "<Ada>")]));
    route GET "/missing" => async |_| view("missing");
}

#[derive(Serialize, View)]
#[view("parts/list", folder = "behavior/views")]
struct List<'them, Name> {
    #[serde(rename = "names")]
    them: &'them [Name],
}

pode_server! {
    server without_views;
    endpoint http "127.0.0.1:0";
    endpoint https "127.0.0.1:0" { certificate: certificate() };
    route GET "/" => async |_| Own { name: "<Ada>" };
    route GET "/list" => async |_| List { them: &["Ada"] };
}

pode_server! {
    server with_other_views;
    endpoint http "127.0.0.1:0";
    endpoint https "127.0.0.1:0" { certificate: certificate() };
    views "behavior/views";
    route GET "/" => async |_| Own { name: "<Ada>" };
    route GET "/list" => async |_| List { them: &["Ada"] };
}

#[derive(Serialize, View)]
#[view("own", folder = "behavior/pages")]
struct Own {
    name: &'static str,
}

#[tokio::test]
async fn a_struct_is_shown_from_the_folder_it_names_whatever_views_a_server_has() {
    for server in [by_each_version(without_views).await, by_each_version(with_other_views).await]
        .into_iter()
        .flatten()
    {
        let own = get(&server, "/").await;
        assert_eq!(own.status, 200, "{}", own.text());
        let policy = &own.headers["content-security-policy"];
        let nonce = policy.split_once("'nonce-").unwrap().1.split_once('\'').unwrap().0;
        // The byte order marks of both templates are left out.
        let page = format!("<!doctype html><script nonce={nonce}>own()</script>&lt;Ada&gt;");
        assert_eq!(own.text(), page);
        assert_eq!(get(&server, "/list").await.text(), "<li>Ada</li>");
    }
}

#[tokio::test]
async fn views_are_made_from_templates_parameters_and_data() {
    for server in by_each_version(views).await {
        let index = get(&server, "/").await;
        assert_eq!((index.status, index.text()), (200, "<p>index</p>"));
        assert_eq!(index.headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(get(&server, "/hello/%3Cb%3E").await.text(), "<p>Hello, &lt;b&gt;!</p>");
        assert_eq!(get(&server, "/list").await.text(), "<li>Ada</li><li>&lt;Bob&gt;</li>");
        assert_eq!(get(&server, "/typed").await.text(), "<li>Ada</li>");
    }
}

/// These tests have debug assertions; what a release build says is tested beside
/// the code.
#[tokio::test]
async fn a_view_that_cannot_be_shown_is_explained_while_developing() {
    for server in by_each_version(views).await {
        let forgotten = get(&server, "/forgotten").await;
        assert_eq!(forgotten.status, 500);
        assert_eq!(forgotten.headers["content-type"], "text/html; charset=utf-8");
        for said in ["`name` is undefined", "hello.html:1", "nmae", "&lt;Ada&gt;"] {
            assert!(forgotten.text().contains(said), "{said}: {}", forgotten.text());
        }
        assert!(!forgotten.text().contains("<Ada>"));
        let missing = get(&server, "/missing").await;
        assert_eq!(missing.status, 500);
        assert!(missing.text().contains("missing.html"), "{}", missing.text());
    }
}
