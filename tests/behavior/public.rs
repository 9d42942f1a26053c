//! Public files over a socket.

use pode::prelude::*;

use crate::support::{get, request, start};

pode_server! {
    server files;
    endpoint http "127.0.0.1:0";
    public "tests/behavior/files";
    public "/static" "tests/behavior/files/folder";
    // A mistake that is found, unless one of both may not be there.
    #[cfg(all())]
    route GET "/taken.txt" => async |_| text("the route");
}

#[tokio::test]
async fn files_are_served_at_the_root_and_under_a_prefix() {
    let server = start(files()).await;
    let plain = get(&server, "/plain.txt").await;
    assert_eq!((plain.status, plain.text()), (200, "a plain file"));
    assert_eq!(plain.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(
        get(&server, "/folder/deep.js").await.headers["content-type"],
        "text/javascript; charset=utf-8"
    );
    assert_eq!(get(&server, "/static/deep.js").await.status, 200);
    assert_eq!(get(&server, "/taken.txt").await.text(), "the route");

    let head = request(&server, "HEAD", "/plain.txt", &[], b"").await;
    assert_eq!(
        (head.status, head.headers["content-length"].as_str(), head.body.len()),
        (200, "13", 0)
    );
    let post = request(&server, "POST", "/plain.txt", &[], b"").await;
    assert_eq!((post.status, post.headers["allow"].as_str()), (405, "GET, HEAD"));
}

#[tokio::test]
async fn nothing_else_is_served() {
    let server = start(files()).await;
    for path in [
        "/missing.txt",
        "/folder",
        "/folder/",
        "/plain.txt/",
        "/../main.rs",
        "/folder/../../main.rs",
        "/%2e%2e/main.rs",
        "/..%2fmain.rs",
        "/..%5cmain.rs",
        "/folder/..%252f..%252fmain.rs",
        "/.hidden",
        "/plain.txt%00",
        "/%00",
        "/static/../plain.txt",
        "/static",
    ] {
        let status = get(&server, path).await.status;
        assert_eq!(status, 404, "{path}");
    }
    let long = format!("/{}", "a".repeat(5_000));
    assert_eq!(get(&server, &long).await.status, 404);
}
