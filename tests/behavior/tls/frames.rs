//! Abuses that only HTTP/2 allows, frame by frame.

use super::*;

pode_server! {
    server framed(certificate: Certificate);
    endpoint https "127.0.0.1:0" { certificate: certificate };
    route GET "/" => async |_| text("page");
    route POST "/" => async |_| text("no body is wanted");
    route GET "/long" => async |_| -> () { std::future::pending().await };
}

// Types of frames: RFC 9113, section 6.
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RESET: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// `GET https://localhost/`, encoded with the static table (RFC 7541, appendix
/// A).
pub(super) const GET_ROOT: &[u8] = b"\x82\x87\x84\x41\x09localhost";

/// The same by POST.
const POST_ROOT: &[u8] = b"\x83\x87\x84\x41\x09localhost";

/// The same of `/long`.
const GET_LONG: &[u8] = b"\x82\x87\x04\x05/long\x41\x09localhost";

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head, &stream.to_be_bytes()[..], payload].concat()
}

async fn start_framed() -> (RunningServer, SocketAddr) {
    let server = start(framed(pem(file("chain.pem"), file("key.pem")))).await;
    let address = server.address(Protocol::Https).unwrap();
    (server, address)
}

/// Connects, chooses HTTP/2 and sends the preface.
async fn hello(address: SocketAddr) -> TlsStream<TcpStream> {
    hello_with(address, b"").await
}

/// Does the same with settings.
pub(super) async fn hello_with(address: SocketAddr, settings: &[u8]) -> TlsStream<TcpStream> {
    let mut config = trusting_root();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut stream = connect(config, address, "localhost").await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, settings)).await.unwrap();
    stream
}

/// Waits for a frame, and returns its type, stream and payload; `None` at the
/// end of the connection.
async fn next_frame(
    stream: &mut (impl tokio::io::AsyncRead + Unpin),
) -> Option<(u8, u32, Vec<u8>)> {
    let read = async {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).await.ok()?;
        let number = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some((head[3], number, payload))
    };
    within(read, "a frame").await
}

/// Waits for a frame of one type, and returns the rest of it.
pub(super) async fn next_of(
    stream: &mut (impl tokio::io::AsyncRead + Unpin),
    kind: u8,
) -> Option<(u32, Vec<u8>)> {
    loop {
        let (found, number, payload) = next_frame(stream).await?;
        if found == kind {
            return Some((number, payload));
        }
    }
}

pub(super) async fn check_serves(address: SocketAddr) {
    let answer = raw_over(secure_stream(address).await, GET_PAGE).await;
    assert_eq!((answer.status, answer.text()), (200, "page"));
}

#[tokio::test]
async fn requests_that_are_taken_back_at_once_end_their_connection_alone() {
    let (_server, address) = start_framed().await;
    let (mut reader, mut writer) = tokio::io::split(hello(address).await);
    let flood = async {
        for stream in (1..).step_by(2) {
            let request = frame(HEADERS, END_STREAM | END_HEADERS, stream, GET_LONG);
            let back = frame(RESET, 0, stream, &8_u32.to_be_bytes());
            if writer.write_all(&[request, back].concat()).await.is_err() {
                return;
            }
        }
    };
    let told = async {
        let told = next_of(&mut reader, GO_AWAY).await;
        // ENHANCE_YOUR_CALM: RFC 9113, section 7.
        assert!(told.is_none_or(|(_, payload)| payload[4..8] == 11_u32.to_be_bytes()));
        while next_of(&mut reader, GO_AWAY).await.is_some() {}
    };
    tokio::join!(within(flood, "the end of the flood"), told, check_serves(address));
    check_serves(address).await;
}

#[tokio::test]
async fn headers_without_end_end_their_connection_alone() {
    let (_server, address) = start_framed().await;
    let (mut reader, mut writer) = tokio::io::split(hello(address).await);
    let flood = async {
        let mut sent = writer.write_all(&frame(HEADERS, END_STREAM, 1, GET_ROOT)).await;
        // A header that is not in the table: `a: …`.
        let more = [b"\x00\x01a\x7f\x81\x7e", &[b'x'; 16_384 - 6][..]].concat();
        while sent.is_ok() {
            sent = writer.write_all(&frame(CONTINUATION, 0, 1, &more)).await;
        }
    };
    let told = async { while next_of(&mut reader, GO_AWAY).await.is_some() {} };
    tokio::join!(within(flood, "the end of the flood"), told, check_serves(address));
    check_serves(address).await;
}

#[tokio::test]
async fn more_requests_at_once_than_may_be_are_refused() {
    let (_server, address) = start_framed().await;
    let mut client = hello(address).await;
    for stream in (1..=201).step_by(2) {
        let request = frame(HEADERS, END_STREAM | END_HEADERS, stream, GET_LONG);
        client.write_all(&request).await.unwrap();
    }
    // REFUSED_STREAM: RFC 9113, section 7.
    let (stream, code) = next_of(&mut client, RESET).await.expect("the connection goes on");
    assert_eq!((stream, code), (201, 7_u32.to_be_bytes().to_vec()));
    // A client that cancels one stream may open another.
    client.write_all(&frame(RESET, 0, 1, &8_u32.to_be_bytes())).await.unwrap();
    client.write_all(&frame(HEADERS, END_STREAM | END_HEADERS, 203, GET_ROOT)).await.unwrap();
    let (stream, _) = next_of(&mut client, HEADERS).await.expect("the connection goes on");
    assert_eq!(stream, 203);
}

#[tokio::test]
async fn who_sends_a_body_that_nobody_reads_may_end_it() {
    let (_server, address) = start_framed().await;
    let mut client = hello(address).await;
    client.write_all(&frame(HEADERS, END_HEADERS, 1, POST_ROOT)).await.unwrap();
    let (stream, _) = next_of(&mut client, DATA).await.expect("the connection goes on");
    assert_eq!(stream, 1);
    client.write_all(&frame(DATA, END_STREAM, 1, b"the rest")).await.unwrap();
    client.write_all(&frame(HEADERS, END_STREAM | END_HEADERS, 3, GET_ROOT)).await.unwrap();
    loop {
        let (kind, stream, _) = next_frame(&mut client).await.expect("the connection goes on");
        assert_ne!(kind, RESET, "stream {stream} is taken back");
        if (kind, stream) == (DATA, 3) {
            return;
        }
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_taken_back_behind_the_answer() {
    let (_server, address) = start_framed().await;
    let mut client = hello(address).await;
    let request = frame(HEADERS, END_HEADERS, 1, POST_ROOT);
    let body = frame(DATA, 0, 1, &[0; 16_384]).repeat(3);
    client.write_all(&[request, body].concat()).await.unwrap();
    let (stream, answer) = next_of(&mut client, DATA).await.expect("the connection goes on");
    assert_eq!((stream, &*answer), (1, &b"no body is wanted"[..]));
    // NO_ERROR: RFC 9113, section 8.1.
    let (stream, code) = next_of(&mut client, RESET).await.expect("the connection goes on");
    assert_eq!((stream, code), (1, vec![0; 4]));
}
