//! Replies beyond the plain ones: other statuses, headers, cookies, files,
//! redirects and error pages.

use std::path::PathBuf;

use pode::prelude::*;
use pode::{Cookie, Protocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{by_each_version, certificate, get, request, start, within};

pode_server! {
    server replies;
    endpoint http "127.0.0.1:0";
    endpoint https "127.0.0.1:0" { certificate: certificate() };
    views "behavior/views";
    public "/docs" "behavior/files" { cache_age: 1min, index: "plain.txt" };
    route GET "/created" => async |_| text("made").with_status(201).with_header("Location", "/things/7");
    route GET "/cookies" => async |_| ().with_cookie(Cookie::new("a", "b c")).with_cookie(Cookie::new("d", "e"));
    route GET "/broken" => async |_| text("x").with_header("a", "b\r\nc: d");
    route GET, POST "/file" => async |_| file("behavior/files/plain.txt").await;
    route GET "/file/large" => async |_| file(large()).await;
    route GET "/file/not-found" => async |_| file("behavior/files/plain.txt").await.map(|file| file.with_status(404));
    route GET "/file/created" => async |_| file("behavior/files/plain.txt").await.map(|file| file.with_status(201));
    route GET "/file/mine" => async |_| file("behavior/files/plain.txt").await.map(|file| file.with_header("ETag", "\"mine\""));
    route GET "/download" => async |_| file("behavior/files/plain.txt").await.map(|file| file.download());
    route GET "/no-file" => async |_| file("behavior/files/missing.txt").await;
    route GET "/bytes" => async |_| bytes("image/gif", &b"GIF89a"[..]);
    route GET "/untyped" => async |_| bytes("text/html\n", "<script>document.title = 1</script>");
    route GET "/response" => async |_| warp::http::Response::new("<script>document.title = 1</script>");
    route GET "/sniffed" => async |_| text("a").with_header("X-Content-Type-Options", "none");
    route GET "/old" => redirect "/created";
    route GET "/people/:id/*rest" => redirect "/users/:id/all/*rest";
    route GET "/users/*rest" (rest: String) => async |_, rest: String| text(rest);
    route GET "/away" => redirect "https://example.org/a:b";
    route GET "/rooms" => async |_| redirect("/rooms/a b/ü?x=%25#\r\ny");
    route GET "/gone" => async |_| Err::<(), _>(EventError::new(410, "it was here"));
}

const LARGE: u64 = 200 << 20;

/// A file of this process alone.
fn large() -> PathBuf {
    std::env::temp_dir().join(format!("pode-reply-large-{}", std::process::id()))
}

#[tokio::test]
async fn replies_are_changed() {
    for server in by_each_version(replies).await {
        let created = get(&server, "/created").await;
        assert_eq!(
            (created.status, created.text(), created.headers["location"].as_str()),
            (201, "made", "/things/7")
        );
        assert_eq!(created.headers["content-type"], "text/plain; charset=utf-8");
        let cookies = get(&server, "/cookies").await;
        // Both headers are there; the map keeps the last one.
        assert_eq!((cookies.status, cookies.headers["set-cookie"].as_str()), (204, "d=e"));
        assert_eq!(get(&server, "/broken").await.status, 500);
    }
}

#[tokio::test]
async fn browsers_do_not_guess_what_a_reply_is() {
    for server in by_each_version(replies).await {
        for path in ["/created", "/file", "/bytes", "/untyped", "/response", "/gone", "/nowhere"] {
            let answer = get(&server, path).await;
            assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        }
        let untyped = get(&server, "/untyped").await;
        assert_eq!(untyped.headers["content-type"], "application/octet-stream");
        assert_eq!(get(&server, "/sniffed").await.headers["x-content-type-options"], "none");
    }
}

#[tokio::test]
async fn files_are_replies() {
    for server in by_each_version(replies).await {
        let file = get(&server, "/file").await;
        assert_eq!((file.status, file.text()), (200, "a plain file"));
        assert_eq!(file.headers["content-type"], "text/plain; charset=utf-8");
        let download = get(&server, "/download").await;
        assert_eq!(
            download.headers["content-disposition"],
            "attachment; filename=\"plain.txt\"; filename*=UTF-8''plain%2Etxt"
        );
        let known = [("If-None-Match", file.headers["etag"].as_str())];
        let unchanged = request(&server, "GET", "/file", &known, b"").await;
        assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
        let head = request(&server, "HEAD", "/file", &[], b"").await;
        assert_eq!((head.status, head.headers["content-length"].as_str()), (200, "13"));
        // Only what succeeds has parts.
        let asked = [("Range", "bytes=2-6"), known[0]];
        for (path, status) in [("/file/not-found", 404), ("/file/created", 201)] {
            let changed = request(&server, "GET", path, &asked, b"").await;
            assert_eq!((changed.status, changed.text()), (status, "a plain file"));
        }
        let posted = request(&server, "POST", "/file", &asked, b"").await;
        assert_eq!((posted.status, posted.text()), (200, "a plain file"));
        assert!(!posted.headers.contains_key("etag"));
        let own = [("Range", "bytes=2-6"), ("If-Range", "\"mine\"")];
        let own = request(&server, "GET", "/file/mine", &own, b"").await;
        assert_eq!(
            (own.status, own.text(), own.headers["etag"].as_str()),
            (206, "plain", "\"mine\"")
        );
        let missing = get(&server, "/no-file").await;
        assert_eq!((missing.status, missing.text()), (404, "there is no such file"));
    }
}

/// What is cut off while the client reads was in no memory.
#[tokio::test]
async fn a_large_file_of_a_handler_is_never_in_memory_as_a_whole() {
    let file = std::fs::File::create(large()).unwrap();
    file.set_len(LARGE).unwrap();
    let server = start(replies()).await;
    let address = server.address(Protocol::Http).unwrap();
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET /file/large HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut head = [0; 15];
    within(client.read_exact(&mut head), "a head").await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    file.set_len(0).unwrap();
    let mut rest = Vec::new();
    _ = within(client.read_to_end(&mut rest), "the end").await;
    assert!((rest.len() as u64) < LARGE / 2, "{}", rest.len());
    std::fs::remove_file(large()).unwrap();
}

#[tokio::test]
async fn bytes_are_replies() {
    for server in by_each_version(replies).await {
        let picture = get(&server, "/bytes").await;
        assert_eq!((picture.status, picture.text()), (200, "GIF89a"));
        assert_eq!(picture.headers["content-type"], "image/gif");
    }
}

#[tokio::test]
async fn declared_redirects_take_the_parameters_along() {
    for server in by_each_version(replies).await {
        for (path, target) in [
            ("/old", "/created"),
            ("/old?x=1", "/created"),
            ("/people/a%20b%2Fc/d/%3Fe", "/users/a%20b%2Fc/all/d/%3Fe"),
            ("/away", "https://example.org/a:b"),
            ("/rooms", "/rooms/a%20b/%C3%BC?x=%25#%0D%0Ay"),
        ] {
            for method in ["GET", "HEAD"] {
                let answer = request(&server, method, path, &[], b"").await;
                assert_eq!(
                    (answer.status, answer.headers["location"].as_str()),
                    (303, target),
                    "{path}"
                );
                assert_eq!(answer.headers["content-length"], "0", "{method}");
            }
        }
        for path in ["/people/../x", "/people/7/..", "/people/7/%2Fevil.com"] {
            assert_eq!(get(&server, path).await.status, 404, "{path}");
        }
    }
}

#[tokio::test]
async fn a_part_of_a_file_is_sent_alone() {
    for server in by_each_version(replies).await {
        for path in ["/docs/plain.txt", "/file"] {
            let whole = get(&server, path).await;
            assert_eq!((whole.status, whole.headers["accept-ranges"].as_str()), (200, "bytes"));
            let tag = whole.headers["etag"].as_str();
            let asked = [("Range", "bytes=2-6"), ("If-Range", tag)];
            let part = request(&server, "GET", path, &asked, b"").await;
            assert_eq!((part.status, part.text()), (206, "plain"), "{path}");
            assert_eq!(part.headers["content-range"], "bytes 2-6/13");
            assert_eq!(part.headers["content-length"], "5");
            assert_eq!(part.headers["content-type"], whole.headers["content-type"]);
            let head = request(&server, "HEAD", path, &asked, b"").await;
            assert_eq!((head.status, head.headers["content-length"].as_str()), (200, "13"));
            let beyond = request(&server, "GET", path, &[("Range", "bytes=13-")], b"").await;
            assert_eq!((beyond.status, beyond.text()), (416, "the file has 13 bytes"));
            assert_eq!(beyond.headers["content-range"], "bytes */13");
        }
    }
}

#[tokio::test]
async fn browsers_get_error_pages_where_there_are_some() {
    for server in by_each_version(replies).await {
        let browser = [("Accept", "text/html,application/xhtml+xml;q=0.9")];
        let page = request(&server, "GET", "/nowhere", &browser, b"").await;
        assert_eq!(
            (page.status, page.headers["content-type"].as_str()),
            (404, "text/html; charset=utf-8")
        );
        assert_eq!(page.text(), "<h1>404</h1><p>there is nothing at this path</p>");
        assert_eq!(
            request(&server, "GET", "/no-file", &browser, b"").await.text(),
            "<h1>404</h1><p>there is no such file</p>"
        );
        // No page for this status, and none for clients that don't accept HTML.
        let gone = request(&server, "GET", "/gone", &browser, b"").await;
        assert_eq!((gone.status, gone.text()), (410, "it was here"));
        assert_eq!(get(&server, "/nowhere").await.text(), "there is nothing at this path");
        assert_eq!(
            get(&server, "/nowhere").await.headers["content-type"],
            "text/plain; charset=utf-8"
        );
    }
}

#[tokio::test]
async fn public_files_have_options() {
    for server in by_each_version(replies).await {
        let file = get(&server, "/docs/plain.txt").await;
        assert_eq!(file.headers["cache-control"], "max-age=60");
        let known = [("If-None-Match", file.headers["etag"].as_str())];
        assert_eq!(request(&server, "GET", "/docs/plain.txt", &known, b"").await.status, 304);
        assert_eq!(get(&server, "/docs/").await.text(), "a plain file");
        let folder = get(&server, "/docs").await;
        assert_eq!((folder.status, folder.headers["location"].as_str()), (308, "/docs/"));
        for method in ["GET", "HEAD"] {
            let folder = request(&server, method, "/docs?room=7&x=%2F?", &[], b"").await;
            let location = folder.headers["location"].as_str();
            assert_eq!((folder.status, location), (308, "/docs/?room=7&x=%2F?"));
            assert_eq!(folder.headers["content-length"], "0", "{method}");
        }
    }
}
