//! Headers with undecodable bytes, next to valid ones.

use pode::prelude::*;
use pode::{Protocol, RunningServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{by_each_version, certificate, get, request_of_bytes, start, within};

pode_server! {
    server lenient;
    endpoint http "127.0.0.1:0";
    endpoint https "127.0.0.1:0" { certificate: certificate() };
    endpoint ws "127.0.0.1:0";
    views "behavior/views";
    public "behavior/files";
    signal NEWS: String = "/news";
    on connect NEWS => async |event: ConnectEvent<String>| event.choose_protocol("chat");
    route GET "/cookies" => async |event: WebEvent| text(format!(
        "{:?} {:?} {:?}",
        event.cookie("session"),
        event.cookie("name"),
        event.cookie("c"),
    ));
    route GET "/who" => async |event: WebEvent| event.signal_client(NEWS).await.map(|id| text(id.to_string()));
    route POST "/json" (json: Vec<u8>) => async |_, json: Vec<u8>| text(json.len().to_string());
    route POST "/upload" (multipart: Multipart) => upload;
}

/// Answers with the known details of each part.
async fn upload(_: WebEvent, mut form: Multipart) -> Result<impl Reply, EventError> {
    let mut lines = Vec::new();
    while let Some(part) = form.next().await? {
        let known = [part.name(), part.file_name(), part.content_type()];
        lines.push(format!("{known:?}"));
    }
    Ok(text(lines.join("\n")))
}

#[tokio::test]
async fn an_odd_cookie_hides_no_other() {
    for server in by_each_version(lenient).await {
        for (cookies, said) in [
            (&b"session=abc; name=J\xfcrgen; c=d"[..], r#"Some("abc") None Some("d")"#),
            ("name=Jürgen; session=abc".as_bytes(), r#"Some("abc") Some("Jürgen") None"#),
            (b"a=b; ;; =x; c=%zz; session=abc", r#"Some("abc") None Some("%zz")"#),
            (b"; c; c=%ff; \xff\xff;\xff=c;session=abc;", r#"Some("abc") None None"#),
            (b"session=\xff; session=abc; c==d", r#"Some("abc") None Some("=d")"#),
            // A name is literal, not decoded.
            (b"%73ession=evil; session=a%62c; n%61me=x", r#"Some("abc") None None"#),
        ] {
            let headers = [("Cookie", cookies)];
            let answer = request_of_bytes(&server, "GET", "/cookies", &headers, b"").await;
            assert_eq!(answer.text(), said, "{}", cookies.escape_ascii());
        }
        let headers = [("Cookie", &b"name=\xff"[..]), ("Cookie", b"session=abc")];
        let answer = request_of_bytes(&server, "GET", "/cookies", &headers, b"").await;
        assert_eq!(answer.text(), r#"Some("abc") None None"#);
    }
}

#[tokio::test]
async fn an_odd_element_hides_no_other() {
    for server in by_each_version(lenient).await {
        let accept = [("Accept", &b"text/\xff, text/html;q=0.9"[..])];
        let page = request_of_bytes(&server, "GET", "/nowhere", &accept, b"").await;
        assert_eq!(page.text(), "<h1>404</h1><p>there is nothing at this path</p>");

        let tag = &get(&server, "/plain.txt").await.headers["etag"];
        let known = [b"\"\xff\", W/", tag.as_bytes()].concat();
        let known = [("If-None-Match", &*known)];
        assert_eq!(request_of_bytes(&server, "GET", "/plain.txt", &known, b"").await.status, 304);

        let json = [("Content-Type", &b"Application/JSON; title=\xff"[..])];
        assert_eq!(request_of_bytes(&server, "POST", "/json", &json, b"[1]").await.text(), "1");
    }
}

#[tokio::test]
async fn parts_are_found_beside_odd_bytes() {
    let body = b"--XX\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"J\xfcrgen.txt\"\r\n\
        Content-Type: text/plain; title=\xfc\r\n\r\nx\r\n\
        --XX\r\n\
        Content-Disposition: form-data; name=\"\xfc\"; filename=\"a.txt\"\r\n\
        Content-Type: text/plain; title=\xc3\xbc\r\n\r\nx\r\n\
        --XX\r\nContent-Disposition: form-data; name=\"field\"\r\n\r\nx\r\n--XX--\r\n";
    for server in by_each_version(lenient).await {
        for parameters in [
            &b"; title=\xff; boundary=XX"[..],
            b"; =; ; Boundary=\"XX\"; \xff",
            b"; title=\"; boundary=YY\"; boundary=XX",
        ] {
            let kind = [&b"multipart/form-data"[..], parameters].concat();
            let headers = [("Content-Type", &*kind)];
            let answer = request_of_bytes(&server, "POST", "/upload", &headers, body).await;
            let lines: Vec<&str> = answer.text().lines().collect();
            let said = [
                "[Some(\"file\"), Some(\"J\u{fffd}rgen.txt\"), Some(\"text/plain\")]",
                r#"[None, Some("a.txt"), Some("text/plain; title=ü")]"#,
                r#"[Some("field"), None, None]"#,
            ];
            assert_eq!(lines, said, "{}", kind.escape_ascii());
        }
    }
}

#[tokio::test]
async fn an_odd_byte_in_an_id_makes_it_invalid() {
    for server in by_each_version(lenient).await {
        for id in [&b"ada\xff"[..], b"\xff, ada"] {
            let headers = [("X-Pode-Signal-Client-Id", id)];
            let answer = request_of_bytes(&server, "GET", "/who", &headers, b"").await;
            assert_eq!(answer.status, 400);
        }
    }
}

/// Does a handshake with these headers, and returns the head of the reply.
async fn handshake(server: &RunningServer, headers: &[u8]) -> String {
    let address = server.address(Protocol::Ws).unwrap();
    let mut stream = within(TcpStream::connect(address), "a connection").await.unwrap();
    let head = b"GET /news HTTP/1.1\r\nHost: localhost\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    stream.write_all(&[head, headers, b"\r\n"].concat()).await.unwrap();
    let mut reply = Vec::new();
    while !reply.ends_with(b"\r\n\r\n") {
        reply.push(within(stream.read_u8(), "the reply").await.unwrap());
    }
    String::from_utf8(reply).unwrap()
}

#[tokio::test]
async fn odd_offers_hide_no_other() {
    let server = start(lenient()).await;
    let asked = b"Connection: \xff, Upgrade\r\nUpgrade: \xff, websocket\r\n\
        Sec-WebSocket-Extensions: \xff\r\nSec-WebSocket-Protocol: \xff, chat\r\n";
    let reply = handshake(&server, asked).await;
    assert!(reply.starts_with("HTTP/1.1 101 "), "{reply}");
    assert!(reply.contains("sec-websocket-protocol: chat\r\n"), "{reply}");

    let odd = b"Connection: Upgrade\r\nUpgrade: websocket\xff\r\n";
    assert!(handshake(&server, odd).await.starts_with("HTTP/1.1 426 "));
    let asked = b"Connection: Upgrade\r\nUpgrade: websocket\r\nOrigin: http://x\xff\r\n";
    assert!(handshake(&server, asked).await.starts_with("HTTP/1.1 403 "));
}
