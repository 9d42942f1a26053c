//! Mounted filters beside declared routes.

use pode::prelude::*;
use pode::warp::{self, Filter};

use crate::support::{by_each_version, certificate, get, post_form, request};

pode_server! {
    server house;
    endpoint http "127.0.0.1:0";
    endpoint https "127.0.0.1:0" { certificate: certificate() };
    public "behavior/files";
    mount "/api/v1" warp::path!("double" / u32).and(warp::get()).map(|number: u32| (2 * number).to_string());
    mount "/folder" warp::path::end().and(warp::post()).and(warp::body::bytes()).map(|body: bytes::Bytes| body.len().to_string());
    route GET "/api/v1/declared" => async |_| text("the route");
}

#[tokio::test]
async fn a_mounted_filter_sees_what_is_behind_its_prefix() {
    for server in by_each_version(house).await {
        assert_eq!(get(&server, "/api/v1/double/21").await.text(), "42");
        assert_eq!(get(&server, "/api/v1/declared").await.text(), "the route");
        assert_eq!(post_form(&server, "/folder", "12345").await.text(), "5");
    }
}

#[tokio::test]
async fn a_mounted_filter_answers_its_own_refusals() {
    for server in by_each_version(house).await {
        assert_eq!(get(&server, "/api/v1/triple/21").await.status, 404);
        assert_eq!(request(&server, "POST", "/api/v1/double/21", &[], b"").await.status, 405);
        // It wins over the public files under its prefix, and only there.
        assert_eq!(get(&server, "/folder/deep.js").await.status, 404);
        assert_eq!(get(&server, "/plain.txt").await.status, 200);
        assert_eq!(get(&server, "/api/v1x/double/21").await.status, 404);
    }
}
