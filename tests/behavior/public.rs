//! Public files over a socket.

use pode::prelude::*;

use crate::support::{by_each_version, certificate, get, request};

pode_server! {
    server files;
    endpoint http "127.0.0.1:0";
    endpoint https "127.0.0.1:0" { certificate: certificate() };
    public "behavior/files";
    public "/static" "behavior/files/folder";
    // A mistake that the compiler finds, unless one of both may be left out.
    #[cfg(all())]
    route GET "/taken.txt" => async |_| text("the route");
}

#[tokio::test]
async fn files_are_served_at_the_root_and_under_a_prefix() {
    for server in by_each_version(files).await {
        let plain = get(&server, "/plain.txt").await;
        assert_eq!((plain.status, plain.text()), (200, "a plain file"));
        assert_eq!(plain.headers["content-type"], "text/plain; charset=utf-8");
        assert_eq!(
            get(&server, "/folder/deep.js").await.headers["content-type"],
            "text/javascript; charset=utf-8"
        );
        assert_eq!(get(&server, "/static/deep.js").await.status, 200);
        assert_eq!(get(&server, "/.well-known/security.txt").await.status, 200);
        assert_eq!(get(&server, "/taken.txt").await.text(), "the route");

        let known = [("if-none-match", plain.headers["etag"].as_str())];
        let unchanged = request(&server, "GET", "/plain.txt", &known, b"").await;
        assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
        assert!(!unchanged.headers.contains_key("content-length"));

        let head = request(&server, "HEAD", "/plain.txt", &[], b"").await;
        assert_eq!(
            (head.status, head.headers["content-length"].as_str(), head.body.len()),
            (200, "13", 0)
        );
    }
}
