//! Refusals: each as it is sent, in the list beside this file.
//!
//! The tests of the nouns cover what a server accepts. These cover everything
//! that it refuses, and that the next request is answered all the same.

use std::convert::Infallible;

use futures_util::{StreamExt, stream};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING};
use hyper::{Request, Version};
use pode::prelude::*;
use pode::{Protocol, RunningServer};

use crate::support::{
    Answer, Versioned, ask, by_each_version, certificate, get, http_2, raw, start,
};

const REFUSALS: &str = include_str!("refusals.txt");

#[derive(Deserialize)]
struct Point {
    x: i32,
    y: i32,
}

pode_server! {
    server guarded;
    endpoint http "127.0.0.1:0";
    endpoint https "127.0.0.1:0" { certificate: certificate() };
    endpoint ws   "127.0.0.1:0";
    endpoint wss  "127.0.0.1:0";
    views "behavior/views";
    public "behavior/files";
    public "/static" "behavior/files/folder";
    signal NEWS: String = "/news";
    signal TALKS: String = "/talks";
    route POST "/talks" => async |_| ();
    route GET  "/good" => async |_| text("good");
    route GET  "/users/:name/photo" (name: String) => async |_, name: String| text(name);
    route GET  "/points/:id" (id: u8) => async |_, id: u8| text(id.to_string());
    route GET  "/points" (query: Point) => near;
    route POST "/points" (form: Point) => near;
    route PUT  "/points" (json: Point) => near;
    route POST "/data" (data: Point) => near;
    route PUT  "/bytes" (body: Vec<u8>) => async |_, body: Vec<u8>| text(body.len().to_string());
    route PUT  "/text" (body: String) => async |_, body: String| text(body);
    route POST "/upload" (multipart: Multipart) => upload;
    route GET  "/refused" => async |_| Err::<(), _>(EventError::new(409, "not now"));
    route GET  "/broken" => async |_| -> Result<(), std::num::ParseIntError> { "x".parse::<u8>().map(|_| ()) };
    route GET  "/panics" => async |_| -> () { panic!("on purpose") };
}

async fn near(_: WebEvent, point: Point) -> impl Reply {
    text(format!("{} {}", point.x, point.y))
}

async fn upload(_: WebEvent, mut form: Multipart) -> Result<(), EventError> {
    while let Some(mut part) = form.next().await? {
        while part.chunk().await?.is_some() {}
    }
    Ok(())
}

#[tokio::test]
async fn every_refusal_is_as_listed_and_the_next_request_is_answered() {
    let server = start(guarded()).await;
    let requests = http_2(server.address(Protocol::Https).unwrap()).await;
    let (mut wrong, mut by_both) = (String::new(), 0);
    for block in REFUSALS.split("\n\n").map(str::trim) {
        let lines = |mark: char| {
            block.lines().filter_map(move |line| line.strip_prefix(mark)).map(str::trim_start)
        };
        if lines('>').next().is_none() {
            continue;
        }
        let answer = send(&server, &travelling(lines('>'))).await;
        if let Err(difference) = compare(&answer, lines('<')) {
            wrong.push_str(&format!("{block}\n! {difference}\n\n"));
        }
        assert_eq!(get(&server, "/good").await.text(), "good", "after\n{block}");

        let Some(request) = http_2_form(lines('>')) else { continue };
        by_both += 1;
        // It has no protocol to upgrade to.
        let expected = lines('<').filter(|line| !line.starts_with("upgrade: "));
        let compared = match ask(requests.clone(), request).await {
            Ok(answer) if answer.headers.contains_key("upgrade") => Err("an upgrade".to_owned()),
            Ok(answer) => compare(&answer, expected),
            Err(error) => Err(format!("{error:?}")),
        };
        if let Err(difference) = compared {
            wrong.push_str(&format!("{block}\n! by HTTP/2: {difference}\n\n"));
        }
        let good = Request::get("https://localhost/good").body(BoxBody::default()).unwrap();
        let good = ask(requests.clone(), good).await.expect("the connection goes on");
        assert_eq!(good.text(), "good", "by HTTP/2, after\n{block}");
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(by_both > 100, "only {by_both} by HTTP/2");
}

/// Makes an HTTP/2 request from its lines in the list, unless it is about
/// something that HTTP/2 doesn't have, or that its clients don't send.
fn http_2_form<'list>(
    lines: impl Iterator<Item = &'list str>,
) -> Option<Request<BoxBody<Bytes, Infallible>>> {
    let lines: Vec<Vec<u8>> = lines.map(unescape).collect();
    let end = lines.iter().position(Vec::is_empty).unwrap_or(lines.len());
    let [first, head @ ..] = &lines[..end] else { return None };
    let [method, target, "HTTP/1.1"] =
        str::from_utf8(first).ok()?.split(' ').collect::<Vec<_>>()[..]
    else {
        return None;
    };
    let uri = if target.starts_with('/') {
        format!("https://localhost{target}")
    } else {
        target.to_owned()
    };
    let mut request = Request::builder().method(method).uri(uri);
    request.uri_ref()?.authority()?;
    for line in head {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        if name == CONNECTION || name == TRANSFER_ENCODING {
            return None;
        }
        request = request.header(name, line[colon + 1..].trim_ascii());
    }
    let body = lines.get(end + 1..).map(|lines| lines.join(&b"\r\n"[..])).unwrap_or_default();
    let mut lengths = request.headers_ref()?.get_all(CONTENT_LENGTH).iter();
    let length = lengths.next().map(|length| length.to_str().ok()?.parse().ok());
    let body = match (length, lengths.next()) {
        (None, _) => Full::from(body).boxed(),
        (Some(Some(length)), None) if body.len() < length => unfinished(body),
        _ => return None,
    };
    request.body(body).ok()
}

/// A body whose rest never arrives.
fn unfinished(bytes: Vec<u8>) -> BoxBody<Bytes, Infallible> {
    let pieces: Vec<_> = bytes.chunks(1 << 16).map(Bytes::copy_from_slice).collect();
    let frames = stream::iter(pieces).map(|piece| Ok(Frame::data(piece)));
    BodyExt::boxed(StreamBody::new(frames.chain(stream::pending())))
}

async fn send(server: &RunningServer, bytes: &[u8]) -> Answer {
    raw(server.address(Protocol::Http).unwrap(), bytes).await
}

/// Makes the bytes of a request from its lines in the list.
fn travelling<'list>(lines: impl Iterator<Item = &'list str>) -> Vec<u8> {
    let lines: Vec<Vec<u8>> = lines.map(unescape).collect();
    let end = lines.iter().position(Vec::is_empty).unwrap_or(lines.len());
    let mut head = lines[..end].to_vec();
    let body = lines.get(end + 1..).map(|lines| lines.join(&b"\r\n"[..]));
    let said = |name: &str, head: &[Vec<u8>]| {
        head.iter().any(|line| line.starts_with(format!("{name}: ").as_bytes()))
    };
    head.push(b"Host: localhost".to_vec());
    if !said("Connection", &head) {
        head.push(b"Connection: close".to_vec());
    }
    if let Some(body) = &body
        && !said("Content-Length", &head)
        && !said("Transfer-Encoding", &head)
    {
        head.push(format!("Content-Length: {}", body.len()).into_bytes());
    }
    [head.join(&b"\r\n"[..]), b"\r\n\r\n".to_vec(), body.unwrap_or_default()].concat()
}

/// Makes bytes from a text in which `\xff` stands for a byte, and `\\` for a
/// backslash.
fn unescape(text: &str) -> Vec<u8> {
    let mut parts = text.split('\\');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    while let Some(part) = parts.next() {
        match part.strip_prefix('x') {
            Some(part) => {
                bytes.push(u8::from_str_radix(&part[..2], 16).expect("two hexadecimal digits"));
                bytes.extend_from_slice(&part.as_bytes()[2..]);
            }
            None => {
                assert!(part.is_empty(), "`\\{part}` means nothing");
                bytes.push(b'\\');
                bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
            }
        }
    }
    bytes
}

/// Compares a response with its lines in the list.
fn compare<'list>(
    answer: &Answer,
    mut expected: impl Iterator<Item = &'list str>,
) -> Result<(), String> {
    let status = answer.status.to_string();
    if expected.next() != Some(&status) {
        return Err(format!("{status}, {:?}", answer.text()));
    }
    for line in expected.by_ref().take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").expect("a header");
        let found = answer.headers.get(name);
        if found.is_none_or(|found| found != value) {
            return Err(format!("{name}: {found:?}"));
        }
    }
    let said = answer.text();
    let as_expected = expected.next().is_none_or(|text| match text.strip_suffix('…') {
        Some(beginning) => said.starts_with(beginning),
        None => said == text,
    });
    if as_expected { Ok(()) } else { Err(said.to_owned()) }
}

/// Sends a body of that many bytes without announcing its length or sending its
/// end.
async fn unannounced(
    server: &Versioned,
    [method, path, content_type]: [&str; 3],
    begins: &str,
    length: usize,
) -> Answer {
    let mut body = begins.as_bytes().to_vec();
    body.resize(length, b'a');
    if server.version == Version::HTTP_2 {
        let request = Request::builder().method(method).uri(format!("https://localhost{path}"));
        let request = request.header("Content-Type", content_type).body(unfinished(body)).unwrap();
        let requests = http_2(server.address(Protocol::Https).unwrap()).await;
        return ask(requests, request).await.expect("the server answers");
    }
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nContent-Type: {content_type}\r\nHost: localhost\r\n\
         Connection: close\r\nTransfer-Encoding: chunked\r\n"
    )
    .into_bytes();
    // No more than the last byte: bytes that a server leaves unread when it
    // closes a connection may cost the client the response.
    for piece in body.chunks(1 << 16) {
        request.extend_from_slice(format!("\r\n{:x}\r\n", piece.len()).as_bytes());
        request.extend_from_slice(piece);
    }
    send(server, &request).await
}

#[tokio::test]
async fn a_body_that_turns_out_too_long_is_refused_at_its_first_byte_too_many() {
    for server in by_each_version(guarded).await {
        for (head, begins) in [
            (["POST", "/points", "application/x-www-form-urlencoded"], "x="),
            (["PUT", "/points", "application/json"], "{"),
            (["PUT", "/bytes", "text/plain"], "a"),
            (["PUT", "/text", "text/plain"], "a"),
        ] {
            let answer = unannounced(&server, head, begins, (1 << 20) + 1).await;
            let sentence = "the body is longer than 1048576 bytes";
            assert_eq!((answer.status, answer.text()), (413, sentence), "{head:?}");
            assert_eq!(get(&server, "/good").await.text(), "good");
        }
        let parts = ["POST", "/upload", "multipart/form-data; boundary=XX"];
        let begins =
            "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
        let answer = unannounced(&server, parts, begins, (64 << 20) + 1).await;
        let sentence = "the body is longer than 67108864 bytes";
        assert_eq!((answer.status, answer.text()), (413, sentence));
        assert_eq!(get(&server, "/good").await.text(), "good");
    }
}

#[tokio::test]
async fn heads_that_are_too_long_are_refused() {
    for server in by_each_version(guarded).await {
        for (path, status) in [
            (format!("/{}", "a".repeat(5_000)), 404),
            ("/a".repeat(10_000), 404),
            (format!("/users/{}", "a".repeat(5_000)), 404),
            // More than a head may have, which is 32 KiB.
            (format!("/{}", "a".repeat(32 << 10)), 431),
        ] {
            assert_eq!(get(&server, &path).await.status, status, "{} bytes", path.len());
            assert_eq!(get(&server, "/good").await.text(), "good");
        }
    }
    // As many headers as allowed, and one more.
    let server = start(guarded()).await;
    let head = |headers: usize| {
        let others = "A: b\r\n".repeat(headers - 2);
        format!("GET /good HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{others}\r\n")
    };
    assert_eq!(send(&server, head(100).as_bytes()).await.text(), "good");
    assert_eq!(send(&server, head(101).as_bytes()).await.status, 431);
    assert_eq!(get(&server, "/good").await.text(), "good");
}
