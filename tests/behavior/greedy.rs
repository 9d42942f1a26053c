//! Greedy clients: what they send is limited, refused, or read only as fast as
//! they read.

use std::net::SocketAddr;

use futures_util::future::join_all;
use pode::prelude::*;
use pode::{Protocol, RawMessage, RunningServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Client, bare_client, get, raw, start, within};

pode_server! {
    server bounded {
        limits: Limits {
            max_head_bytes: 10_000,
            max_body_bytes: 1_000,
            max_upload_bytes: 2_000,
            // Longer than any test waits, so that an early end has the tested
            // reason.
            head_timeout: 1h,
            body_timeout: 1h,
        },
    };
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    route GET  "/" => async |_| text("here");
    route POST "/text" (body: String) => async |_, body| text(body);
    route POST "/longer" (body: String) { limits: Limits { max_body_bytes: 5_000 } } => async |_, body| text(body);
    route POST "/json" (json: Vec<u8>) => async |_, json: Vec<u8>| text(json.len().to_string());
    route POST "/unread" => async |_| text("no body is wanted");
    route POST "/parts" (multipart: Multipart) => read_all;
    route POST "/longest" (multipart: Multipart) { limits: Limits { max_upload_bytes: usize::MAX } } => read_all;
    signal ECHO: RawMessage -> RawMessage = "/echo" { heartbeat: 1s, max_message_bytes: 1_000, max_frame_bytes: 100 } => async |event, message: RawMessage| event.reply(&message).await;
    signal NEWS: RawMessage = "/news" { heartbeat: 1s };
}

async fn read_all(_: WebEvent, mut form: Multipart) -> Result<(), EventError> {
    while let Some(mut part) = form.next().await? {
        while part.chunk().await?.is_some() {}
    }
    Ok(())
}

async fn connect(server: &RunningServer, protocol: Protocol) -> TcpStream {
    let address = server.address(protocol).unwrap();
    within(TcpStream::connect(address), "a connection").await.unwrap()
}

/// Sends the beginning, then the rest repeatedly for as long as possible, and
/// returns the bytes received by then.
async fn flood(mut stream: TcpStream, begins: &[u8], rest: &[u8]) -> Vec<u8> {
    stream.write_all(begins).await.unwrap();
    let (mut reads, mut writes) = stream.split();
    let writing = async { while writes.write_all(rest).await.is_ok() {} };
    let mut heard = Vec::new();
    let reading = async {
        // A reset is an end, too.
        let _ = reads.read_to_end(&mut heard).await;
    };
    within(async { tokio::join!(writing, reading) }, "the end").await;
    heard
}

fn status(heard: &[u8]) -> &str {
    std::str::from_utf8(heard.get(..12).unwrap_or_default()).unwrap()
}

async fn is_served(server: &RunningServer) {
    assert_eq!(get(server, "/").await.text(), "here");
}

#[tokio::test]
async fn heads_without_end_are_refused() {
    let server = start(bounded()).await;
    let floods = (0..60).map(async |number| {
        let (begins, rest): (&[u8], &[u8]) = match number % 4 {
            0 => (b"GET / HTTP/1.1\r\n", b"A: b\r\n"),
            1 => (b"GET / HTTP/1.1\r\nA: ", b"aaaaaaaa"),
            2 => (b"GET /", b"aaaaaaaa"),
            _ => (b"GET / HTTP/1.1\r\n", b"A"),
        };
        let heard = flood(connect(&server, Protocol::Http).await, begins, rest).await;
        assert_eq!(status(&heard), "HTTP/1.1 431", "{number}");
    });
    tokio::join!(join_all(floods), is_served(&server));
    // The last byte that is allowed, and one more.
    let head = |length: usize| {
        let (begins, ends) =
            ("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nA: ", "\r\n\r\n");
        let value = "a".repeat(length - begins.len() - ends.len());
        [begins, &value, ends].concat().into_bytes()
    };
    let address = server.address(Protocol::Http).unwrap();
    assert_eq!(raw(address, &head(10_000)).await.status, 200);
    assert_eq!(raw(address, &head(10_001)).await.status, 431);
}

#[tokio::test]
async fn bodies_without_end_are_refused_while_they_come() {
    let server = start(bounded()).await;
    let chunk: &[u8] = &[&b"100\r\n"[..], &[b'a'; 256], b"\r\n"].concat();
    let plain: &[u8] = &[b'a'; 4096];
    let parts = "Content-Type: multipart/form-data; boundary=XX\r\n";
    let part = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
    let part_chunk = format!("{:x}\r\n{part}\r\n", part.len());
    let requests: [(&str, String, &[u8]); 6] = [
        ("/text", "Transfer-Encoding: chunked\r\n\r\n".into(), chunk),
        ("/text", "Content-Length: 9999999999\r\n\r\n".into(), plain),
        ("/longer", "Transfer-Encoding: chunked\r\n\r\n".into(), chunk),
        ("/parts", format!("{parts}Content-Length: 9999999999\r\n\r\n{part}"), plain),
        ("/parts", format!("{parts}Transfer-Encoding: chunked\r\n\r\n{part_chunk}"), chunk),
        (
            "/json",
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
            chunk,
        ),
    ];
    let floods = (0..60).map(async |number| {
        let (path, headers, rest) = &requests[number % requests.len()];
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}");
        let heard = flood(connect(&server, Protocol::Http).await, head.as_bytes(), rest).await;
        assert_eq!(status(&heard), "HTTP/1.1 413", "{number}");
    });
    tokio::join!(join_all(floods), is_served(&server));
    // A body that no handler takes isn't read to its end, either.
    let head = b"POST /unread HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let heard = flood(connect(&server, Protocol::Http).await, head, chunk).await;
    assert_eq!(status(&heard), "HTTP/1.1 200");
}

#[tokio::test]
async fn whatever_is_no_content_of_a_form_is_bounded() {
    let server = start(bounded()).await;
    let part = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n";
    let kinds = [
        ("", "a", "more than 8192 bytes belong to no part"),
        ("", "\r\n--X", "more than 8192 bytes belong to no part"),
        ("--XX", " ", "more than 8192 bytes belong to no part"),
        ("--XX\r\n", "a", "the headers of a part are longer than 8192 bytes"),
        ("--XX\r\n", "A: b\r\n", "the headers of a part are longer than 8192 bytes"),
        ("", part, "the form has more than 1000 parts"),
        ("--XX--", "a", "more than 8192 bytes belong to no part"),
    ];
    let floods = (0..28).map(async |number| {
        let (begins, rest, sentence) = kinds[number % kinds.len()];
        let head = format!(
            "POST /longest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999999\r\n\
             Content-Type: multipart/form-data; boundary=XX\r\n\r\n{begins}"
        );
        let rest = rest.repeat(1 + 1000 / rest.len());
        let stream = connect(&server, Protocol::Http).await;
        let heard = flood(stream, head.as_bytes(), rest.as_bytes()).await;
        assert_eq!(status(&heard), "HTTP/1.1 413", "{sentence}");
        let heard = String::from_utf8(heard).unwrap();
        assert!(heard.trim_end().ends_with(&format!("multipart: {sentence}")), "{heard}");
    });
    tokio::join!(join_all(floods), is_served(&server));
}

async fn post(address: SocketAddr, path: &str, headers: &str, body: &[u8]) -> (u16, String) {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n\r\n"
    );
    let answer = raw(address, &[head.as_bytes(), body].concat()).await;
    (answer.status, answer.text().to_owned())
}

#[tokio::test]
async fn what_is_announced_is_believed_before_it_is_sent() {
    let server = start(bounded()).await;
    let address = server.address(Protocol::Http).unwrap();
    for (path, announced, limit) in
        [("/text", 1_001, 1_000), ("/longer", 5_001, 5_000), ("/text", u64::MAX / 2, 1_000)]
    {
        let headers = format!("Content-Length: {announced}");
        let refused = (413, format!("the body is longer than {limit} bytes"));
        assert_eq!(post(address, path, &headers, b"").await, refused);
        // A client that expects 100-continue needn't send it.
        let headers = format!("{headers}\r\nExpect: 100-continue");
        assert_eq!(post(address, path, &headers, b"").await, refused);
    }
    let parts = "Content-Type: multipart/form-data; boundary=XX\r\nContent-Length: 2001";
    assert_eq!(post(address, "/parts", parts, b"").await.0, 413);
    let body = "a".repeat(5_000);
    let longest = post(address, "/longer", "Content-Length: 5000", body.as_bytes()).await;
    assert_eq!(longest, (200, body));
}

#[tokio::test]
async fn compressed_bodies_are_not_decompressed() {
    let server = start(bounded()).await;
    let address = server.address(Protocol::Http).unwrap();
    let json = "Content-Type: application/json\r\nContent-Length: 3\r\nContent-Encoding: ";
    for coding in ["gzip", "br", "identity, gzip"] {
        let (status, text) = post(address, "/json", &format!("{json}{coding}"), b"[1]").await;
        assert_eq!(
            (status, text),
            (415, format!("the body must not be compressed; found {coding:?}"))
        );
    }
    assert_eq!(post(address, "/json", &format!("{json}identity"), b"[1]").await, (200, "1".into()));
    let parts = "Content-Type: multipart/form-data; boundary=XX\r\nContent-Length: 8\r\nContent-Encoding: gzip";
    assert_eq!(post(address, "/parts", parts, b"--XX--\r\n").await.0, 415);
}

/// Returns the code of the close frame at the end of these bytes.
fn close_code(heard: &[u8]) -> Option<u16> {
    let at = (0..heard.len()).rev().find(|at| {
        heard[*at] == 0x88
            && heard.get(at + 1).is_some_and(|length| heard.len() == at + 2 + usize::from(*length))
    })?;
    Some(u16::from_be_bytes([*heard.get(at + 2)?, *heard.get(at + 3)?]))
}

/// Checks that another client gets answers.
async fn answers(server: &RunningServer) {
    let mut client = Client::connect(server, "/echo").await;
    client.say("still here").await;
    assert_eq!(client.text().await, "still here");
}

#[tokio::test]
async fn messages_and_frames_have_their_bounds() {
    let server = start(bounded()).await;
    for (sent, code) in [
        // A frame of 101 bytes, and the frames of a message of 1,001.
        ([&b"\x82\xe5\0\0\0\0"[..], &[0; 101]].concat(), 1009),
        (
            [
                &[&b"\x02\xe4\0\0\0\0"[..], &[0; 100]].concat()[..],
                &[&b"\x00\xe4\0\0\0\0"[..], &[0; 100]].concat().repeat(9),
                b"\x80\x81\0\0\0\0a",
            ]
            .concat(),
            1009,
        ),
        // The longest length that can be announced.
        (b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0".to_vec(), 1009),
    ] {
        let mut stream = bare_client(&server, "/echo").await;
        stream.write_all(&sent).await.unwrap();
        let mut heard = Vec::new();
        within(stream.read_to_end(&mut heard), "the end").await.unwrap();
        assert_eq!(close_code(&heard), Some(code));
        answers(&server).await;
    }
}

#[tokio::test]
async fn fragments_without_end_are_given_up() {
    let server = start(bounded()).await;
    let empty = b"\x00\x80\0\0\0\0".repeat(1000);
    let stream = bare_client(&server, "/echo").await;
    let heard = flood(stream, b"\x02\x80\0\0\0\0", &empty).await;
    assert_eq!(close_code(&heard), Some(1008), "{heard:x?}");
    answers(&server).await;
}

#[tokio::test]
async fn a_flood_of_pings_is_read_at_the_pace_of_its_sender() {
    let server = start(bounded()).await;
    let pings = [&b"\x89\xfd\0\0\0\0"[..], &[b'?'; 125]].concat().repeat(500);
    for path in ["/echo", "/news"] {
        let stream = bare_client(&server, path).await;
        let (_unread, mut writes) = stream.into_split();
        let flooding = async {
            let mut written = 0;
            while let Ok(more) = writes.write(&pings).await {
                written += more;
            }
            written
        };
        let (written, ()) = tokio::join!(within(flooding, "the end"), answers(&server));
        // The capacity of the system's buffers in both directions.
        assert!(written < 32 << 20, "{written} bytes were taken");
    }
}

#[tokio::test]
async fn what_comes_after_the_close_frame_is_read_within_bounds() {
    let server = start(bounded()).await;
    let pings = [&b"\x89\xfd\0\0\0\0"[..], &[b'?'; 125]].concat().repeat(500);
    for breaks_a_rule in [true, false] {
        let stream = bare_client(&server, "/news").await;
        let (mut reads, mut writes) = stream.into_split();
        if breaks_a_rule {
            writes.write_all(b"\x81\x02it is not masked").await.unwrap();
        } else {
            server.signals().clients(NEWS).close_all(1000, "enough").await.unwrap();
        }
        let mut close = [0; 2];
        within(reads.read_exact(&mut close), "the close frame").await.unwrap();
        assert_eq!(close[0], 0x88);
        let flooding = async {
            let mut written = 0;
            while let Ok(more) = writes.write(&pings).await {
                written += more;
            }
            written
        };
        let (written, ()) = tokio::join!(within(flooding, "the end"), is_served(&server));
        // With the capacity of the system's buffers.
        assert!(written < 64 << 20, "{written} bytes were taken");
    }
}

#[tokio::test]
async fn messages_whose_answers_nobody_reads_are_read_no_more() {
    let server = start(bounded()).await;
    let message = [&b"\x82\xe4\0\0\0\0"[..], &[b'?'; 100]].concat().repeat(500);
    let stream = bare_client(&server, "/echo").await;
    let (_unread, mut writes) = stream.into_split();
    let flooding = async { while writes.write(&message).await.is_ok() {} };
    tokio::join!(within(flooding, "the end"), answers(&server));
    answers(&server).await;
}
