//! Security: attacks by strangers, and a page with user content.

use pode::prelude::*;
use pode::{Protocol, RunningServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::browser::steps::in_a_browser;
use crate::support::{by_each_version, certificate, get, raw, request, start};

pode_server! {
    server guarded;
    endpoint http "127.0.0.1:0";
    endpoint https "127.0.0.1:0" { certificate: certificate() };
    endpoint ws   "127.0.0.1:0";
    views "behavior/guarded/views";
    public "behavior/guarded/public";
    signal NEWS: String = "/news";
    route GET  "/" => async |_| SMUGGLED;
    route POST "/echo" (body: String) => async |_, body: String| text(body);
    route GET  "/away" (query: Away) => async |_, away: Away| redirect(away.to);
    route GET  "/named" (query: Away) => async |_, away: Away| text("").with_header("x-name", &away.to);
    route GET  "/reached" => async |_| text("reached");
}

pode_server! {
    server lenient { content_security_policy: "script-src 'none'" };
    endpoint http "127.0.0.1:0";
    public "behavior/guarded/public";
}

pode_server! {
    server careless { content_security_policy: "" };
    endpoint http "127.0.0.1:0";
    public "behavior/guarded/public";
}

#[derive(Deserialize)]
struct Away {
    to: String,
}

/// The data of a page that forgot to escape it.
#[derive(Serialize, View)]
#[view("page", folder = "behavior/guarded/views")]
struct Smuggled {
    said: &'static str,
}

const SMUGGLED: Smuggled = Smuggled {
    said: "<script>document.title = 'smuggled'</script>\
           <script src='data:text/javascript,document.title=\"smuggled\"' nonce='guess'></script>\
           <img src='/missing.png' onerror=\"document.title = 'smuggled'\">",
};

fn policy(headers: &std::collections::HashMap<String, String>) -> Option<&str> {
    headers.get("content-security-policy").map(String::as_str)
}

#[tokio::test]
async fn pages_and_files_bear_headers_of_security() {
    for server in by_each_version(guarded).await {
        let page = get(&server, "/").await;
        let nonce = page.text().split_once("<script nonce=").unwrap().1;
        let nonce = nonce.split_once('>').unwrap().0;
        let rest = "object-src 'none'; base-uri 'self'; frame-ancestors 'self'";
        assert_eq!(
            policy(&page.headers),
            Some(&*format!("script-src 'self' 'nonce-{nonce}'; {rest}")),
            "{}",
            page.text()
        );
        let public = get(&server, "/static.html").await;
        let found = policy(&public.headers).unwrap();
        assert!(
            found.starts_with("script-src 'self' 'sha256-") && found.ends_with(rest),
            "{found}"
        );
        let browser = [("Accept", "text/html")];
        let missing = request(&server, "GET", "/nowhere", &browser, b"").await;
        assert_eq!((missing.status, missing.text()), (404, "<p>404</p>"));
        for answer in [&page, &public, &missing, &get(&server, "/file.txt").await] {
            assert!(policy(&answer.headers).is_some());
            assert_eq!(answer.headers["x-content-type-options"], "nosniff");
            assert_eq!(answer.headers["referrer-policy"], "same-origin");
        }
    }
}

#[tokio::test]
async fn a_policy_may_be_the_users_or_none() {
    let answer = get(&start(lenient()).await, "/static.html").await;
    assert_eq!(policy(&answer.headers), Some("script-src 'none'"));
    let answer = get(&start(careless()).await, "/static.html").await;
    assert_eq!(policy(&answer.headers), None);
}

#[test]
fn pages_run_their_own_scripts_and_no_others() {
    in_a_browser(async |chromium| {
        let server = guarded().start().await.unwrap();
        let address = server.address(Protocol::Http).unwrap();
        for path in ["", "static.html"] {
            let tab = chromium.open(&format!("http://{address}/{path}")).await;
            tab.wait_until("the smuggled picture fails", "document.body.dataset.done === 'true'")
                .await;
            assert_eq!(tab.evaluate::<String>("document.title").await, "own");
        }
        server.stop().await;
    });
}

/// Sends a request and another directly after it: only the first is answered,
/// and the connection ends.
async fn check_alone(server: &RunningServer, head: &str, body: &str, status: u16) {
    let address = server.address(Protocol::Http).unwrap();
    let behind = "GET /reached HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = raw(address, format!("{head}\r\n\r\n{body}{behind}").as_bytes()).await;
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, status, "{head}\n{text}");
    assert!(!text.contains("HTTP/1.1"), "{head}\n{text}");
    assert_eq!(get(server, "/reached").await.text(), "reached");
}

#[tokio::test]
async fn requests_that_can_be_read_in_two_ways_go_no_further() {
    let server = start(guarded()).await;
    let chunks = "5\r\nhello\r\n0\r\n\r\n";
    for (headers, body, status) in [
        // RFC 9112, section 6.1: both lengths. The chunked one counts, and the
        // connection ends.
        ("Host: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked", chunks, 200),
        ("Host: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 4", chunks, 200),
        ("Host: localhost\r\nTransfer-Encoding: chunked\r\ncOnTeNt-LeNgTh: 4", chunks, 200),
        // Other codings, and some that some servers don't understand.
        ("Host: localhost\r\nTransfer-Encoding: gzip, chunked", chunks, 501),
        (
            "Host: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            chunks,
            501,
        ),
        ("Host: localhost\r\nTransfer-Encoding: chunked, identity", chunks, 400),
        ("Host: localhost\r\nTransfer-Encoding: xchunked", chunks, 400),
        ("Host: localhost\r\nTransfer-Encoding:\x0bchunked", chunks, 400),
        ("Host: localhost\r\nTransfer-Encoding : chunked", chunks, 400),
        // Two lengths, and none.
        ("Host: localhost\r\nContent-Length: 5\r\nContent-Length: 6", "hello", 400),
        ("Host: localhost\r\nContent-Length: 5, 5", "hello", 400),
        ("Host: localhost\r\nContent-Length: +5", "hello", 400),
        ("Host: localhost\r\nContent-Length: 5 ", "hello", 200),
        ("Host: localhost\r\nContent-Length: -1", "hello", 400),
        ("Host: localhost\r\nContent-Length: 0x5", "hello", 400),
        ("Host: localhost\r\nContent-Length: 99999999999999999999", "hello", 400),
        // Hosts.
        ("Content-Length: 5", "hello", 400),
        ("Host: localhost\r\nHost: y\r\nContent-Length: 5", "hello", 400),
        ("Host: x@y\r\nContent-Length: 5", "hello", 400),
        ("Host: x y\r\nContent-Length: 5", "hello", 400),
        // An invalid byte invalidates a header that decides about the request.
        ("Host: x\u{fc}\r\nContent-Length: 5", "hello", 400),
        ("Host: x, \u{fc}\r\nContent-Length: 5", "hello", 400),
        ("Host: localhost\r\nContent-Length: 5\u{fc}", "hello", 400),
        ("Host: localhost\r\nContent-Length: \u{fc}, 5", "hello", 400),
        ("Host: localhost\r\nTransfer-Encoding: chunked\u{fc}", chunks, 400),
        ("Host: localhost\r\nTransfer-Encoding: \u{fc}, chunked", chunks, 400),
        // A header that continues on the next line.
        ("Host: localhost\r\nX: a\r\n b\r\nContent-Length: 5", "hello", 400),
        ("Host: localhost\r\nX: a\rContent-Length: 5", "hello", 400),
    ] {
        let head = format!("POST /echo HTTP/1.1\r\n{headers}");
        // A valid request keeps the connection open; here it must end, too.
        let sound = status == 200 && !headers.contains("Transfer");
        let head = if sound { format!("{head}\r\nConnection: close") } else { head };
        check_alone(&server, &head, body, status).await;
    }
    for chunks in
        ["5;\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n"]
    {
        let head = "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked";
        check_alone(&server, head, chunks, 400).await;
    }
}

/// Whether other requests of its connection had a length or not.
#[tokio::test]
async fn a_request_with_chunks_keeps_its_connection() {
    let server = start(guarded()).await;
    let mut stream = TcpStream::connect(server.address(Protocol::Http).unwrap()).await.unwrap();
    let chunked = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let measured = "Content-Length: 5\r\n\r\nhello";
    // Each at once, and all together.
    let all = [chunked, measured, chunked, chunked, measured];
    for requests in all.chunks(1).chain([&all[..]]) {
        let begin = "POST /echo HTTP/1.1\r\nHost: localhost\r\n";
        let bytes: String = requests.iter().flat_map(|rest| [begin, rest]).collect();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut responses = String::new();
        while responses.matches("\r\n\r\nhello").count() < requests.len() {
            let mut piece = [0; 1024];
            let read = stream.read(&mut piece).await.unwrap();
            assert!(read > 0, "the connection has ended after {responses}");
            responses += str::from_utf8(&piece[..read]).unwrap();
        }
        assert_eq!(responses.matches("HTTP/1.1 200 ").count(), requests.len());
    }
}

#[tokio::test]
async fn a_value_from_a_visitor_is_never_a_header_of_its_own() {
    for server in by_each_version(guarded).await {
        for path in ["/named?to=x%0aSet-Cookie:a=b", "/named?to=%00"] {
            let answer = get(&server, path).await;
            assert_eq!(answer.status, 500, "{path}");
            assert_eq!(answer.text(), "the server could not answer this request");
            assert!(!answer.headers.contains_key("set-cookie"), "{path}");
        }
        let away = get(&server, "/away?to=/x%0d%0aSet-Cookie:a=b").await;
        assert_eq!(away.headers["location"], "/x%0D%0ASet-Cookie:a=b");
        assert!(!away.headers.contains_key("set-cookie"));
        assert_eq!(get(&server, "/away?to=/reached").await.headers["location"], "/reached");
    }
}
