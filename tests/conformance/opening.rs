//! The opening handshake (section 4.2) on the wire.
//!
//! The contents of requests have a corpus of their own without sockets
//! (`pode-runtime/tests/corpus/handshakes/`). These tests check what a client
//! sees: the response, and what happens to the connection.

use std::collections::HashMap;

use crate::client::*;
use crate::start;
use crate::wire::Wire;

/// The handshake of section 1.2, line by line.
const LINES: [(&str, &str); 6] = [
    ("Host", "server.example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
    ("Origin", "http://server.example.com"),
];

/// A request in which the lines of some names are replaced or missing.
fn request(first: &str, instead: &[(&str, Option<&str>)]) -> String {
    let mut lines: Vec<(&str, &str)> = LINES.to_vec();
    for (name, value) in instead {
        lines.retain(|(other, _)| other != name);
        lines.extend(value.map(|value| (*name, value)));
    }
    let lines: String = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{first}\r\n{lines}\r\n")
}

const GET: &str = "GET /echo HTTP/1.1";

/// A response's status and its headers, by lower-case name.
async fn response(wire: &mut Wire) -> (u16, HashMap<String, String>) {
    let head = wire.head().await;
    let (status, lines) = head.trim_end().split_once("\r\n").unwrap();
    assert!(status.starts_with("HTTP/1."), "{status}");
    let mut all = HashMap::new();
    for line in lines.split("\r\n") {
        let (name, value) = line.split_once(": ").unwrap();
        let before = all.insert(name.to_lowercase(), value.to_owned());
        assert_eq!(before, None, "{name} stands there twice");
    }
    if let Some(length) = all.get("content-length") {
        wire.bytes(length.parse().unwrap()).await;
    }
    (status[9..12].parse().unwrap(), all)
}

/// Section 4.2.2: the status line, `Upgrade`, `Connection` and
/// `Sec-WebSocket-Accept`, whose value is that of the standard's example.
#[tokio::test]
async fn a_handshake_is_answered_as_in_the_standard() {
    let server = start().await;
    for (what, instead) in [
        ("the example", &[][..]),
        ("names in capitals", &[("Upgrade", Some("WEBSOCKET")), ("Connection", Some("UPGRADE"))]),
        ("a list of connections", &[("Connection", Some("keep-alive, Upgrade"))]),
        ("no origin", &[("Origin", None)]),
    ] {
        let mut wire = Wire::connect(&server).await;
        wire.send(request(GET, instead).as_bytes()).await;
        let (status, lines) = response(&mut wire).await;
        assert_eq!(status, 101, "{what}");
        assert!(lines["upgrade"].eq_ignore_ascii_case("websocket"), "{what}");
        assert!(lines["connection"].eq_ignore_ascii_case("upgrade"), "{what}");
        assert_eq!(lines["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "{what}");
        wire.send(&frame(TEXT, b"hi")).await;
        assert_eq!(wire.hear().await, text("hi"), "{what}");
    }
}

/// Section 9.1: an extension that a client offers is used only if the server
/// accepts it. Section 4.2.2: the same holds for subprotocols.
#[tokio::test]
async fn what_the_server_does_not_speak_is_not_answered() {
    let server = start().await;
    let offers = [
        (
            "Sec-WebSocket-Extensions",
            Some("permessage-deflate; client_max_window_bits, x-unknown; a=1; b=\"2, 3\""),
        ),
        ("Sec-WebSocket-Protocol", Some("chat, superchat")),
    ];
    let mut wire = Wire::connect(&server).await;
    wire.send(request(GET, &offers).as_bytes()).await;
    let (status, lines) = response(&mut wire).await;
    assert_eq!(status, 101);
    assert!(!lines.contains_key("sec-websocket-extensions"), "{lines:?}");
    assert!(!lines.contains_key("sec-websocket-protocol"), "{lines:?}");
    // So a compressed frame is invalid.
    wire.send(&frame(0xc1, b"")).await;
    assert_eq!(wire.hear().await, closed(1002));
    wire.end().await;
}

/// Section 4.2.1: the requirements of a handshake; section 4.2.2, 5: "return an
/// HTTP response with an appropriate HTTP error code".
#[tokio::test]
async fn a_handshake_that_is_none_is_refused() {
    let server = start().await;
    for (what, status, request) in [
        ("a post", 405, request("POST /echo HTTP/1.1", &[])),
        ("a head", 405, request("HEAD /echo HTTP/1.1", &[])),
        ("HTTP/1.0", 400, request("GET /echo HTTP/1.0", &[])),
        ("no host", 400, request(GET, &[("Host", None)])),
        ("no key", 400, request(GET, &[("Sec-WebSocket-Key", None)])),
        ("an empty key", 400, request(GET, &[("Sec-WebSocket-Key", Some(""))])),
        ("15 bytes", 400, request(GET, &[("Sec-WebSocket-Key", Some("MDEyMzQ1Njc4OWFiY2Rl"))])),
        (
            "no base64",
            400,
            request(GET, &[("Sec-WebSocket-Key", Some("dGhlIHNhbXBsZSBub25jZ*=="))]),
        ),
        ("no version", 426, request(GET, &[("Sec-WebSocket-Version", None)])),
        ("no upgrade", 426, request(GET, &[("Upgrade", None)])),
        ("no connection", 426, request(GET, &[("Connection", None)])),
        ("another upgrade", 426, request(GET, &[("Upgrade", Some("h2c"))])),
        ("another path", 404, request("GET /elsewhere HTTP/1.1", &[])),
        ("another page", 403, request(GET, &[("Origin", Some("https://evil.example"))])),
    ] {
        let mut wire = Wire::connect(&server).await;
        wire.send(request.as_bytes()).await;
        let (found, lines) = if what == "a head" {
            // The head announces a body that doesn't follow.
            let head = wire.head().await;
            (head[9..12].parse().unwrap(), HashMap::from([("allow".to_owned(), "GET".to_owned())]))
        } else {
            response(&mut wire).await
        };
        assert_eq!(found, status, "{what}");
        assert!(!lines.contains_key("sec-websocket-accept"), "{what}: {lines:?}");
        if status == 405 {
            assert_eq!(lines["allow"], "GET", "{what}");
        }
    }
}

/// Section 4.4: a server that doesn't support the version names the one it
/// does, and the client may try again over the same connection.
#[tokio::test]
async fn a_client_of_another_version_may_ask_again() {
    let server = start().await;
    let mut wire = Wire::connect(&server).await;
    for version in ["8", "0", "12", "14", "255", "013", "13, 8", "x"] {
        let version = [("Sec-WebSocket-Version", Some(version))];
        wire.send(request(GET, &version).as_bytes()).await;
        let (status, lines) = response(&mut wire).await;
        assert_eq!(status, 426, "{version:?}");
        assert_eq!(lines["sec-websocket-version"], "13");
        assert_eq!(lines["upgrade"], "websocket");
    }
    wire.send(request(GET, &[]).as_bytes()).await;
    assert_eq!(response(&mut wire).await.0, 101);
    wire.send(&frame(TEXT, b"hi")).await;
    assert_eq!(wire.hear().await, text("hi"));
}

/// However the request is split into segments, and whatever follows it
/// directly.
#[tokio::test]
async fn a_handshake_may_come_byte_by_byte() {
    let server = start().await;
    let mut wire = Wire::connect(&server).await;
    let bytes = [request(GET, &[]).as_bytes(), &frame(TEXT, b"hi")].concat();
    for byte in bytes {
        wire.send(&[byte]).await;
    }
    assert_eq!(response(&mut wire).await.0, 101);
    assert_eq!(wire.hear().await, text("hi"));
}
