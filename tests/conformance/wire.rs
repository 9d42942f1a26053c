//! A connection of which the test controls every byte, and a reader that
//! rejects everything the standard forbids a server.

use std::time::Duration;

use pode::{Protocol, RunningServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// How long a fast event may take; far longer than it ever takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A whole frame of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    /// With its code, if it has one.
    Close(Option<u16>),
}

pub(crate) struct Wire {
    reading: BufReader<OwnedReadHalf>,
    writing: OwnedWriteHalf,
}

impl Wire {
    /// Connects without sending anything.
    pub(crate) async fn connect(server: &RunningServer) -> Wire {
        let address = server.address(Protocol::Ws).expect("there is a ws endpoint");
        let stream = within(TcpStream::connect(address), "a connection").await.unwrap();
        // So that each write is sent by itself.
        stream.set_nodelay(true).unwrap();
        let (reading, writing) = stream.into_split();
        Wire { reading: BufReader::new(reading), writing }
    }

    /// Connects to a path, and sends bytes directly after the handshake.
    pub(crate) async fn open_with(server: &RunningServer, path: &str, bytes: &[u8]) -> Wire {
        let mut wire = Wire::connect(server).await;
        let handshake = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        wire.send(&[handshake.as_bytes(), bytes].concat()).await;
        assert!(wire.head().await.starts_with("HTTP/1.1 101 "));
        wire
    }

    pub(crate) async fn open(server: &RunningServer, path: &str) -> Wire {
        Wire::open_with(server, path, b"").await
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let sent = within(self.writing.write_all(bytes), "room for bytes");
        sent.await.expect("the server takes bytes");
    }

    /// Sends in pieces of so many bytes. The server receives them while it may
    /// have something to send.
    async fn send_in_pieces(&mut self, bytes: &[u8], piece: usize) {
        for piece in bytes.chunks(piece) {
            self.send(piece).await;
        }
    }

    /// Ends the client's half of the connection.
    pub(crate) async fn shut_down(&mut self) {
        within(self.writing.shutdown(), "the end").await.unwrap();
    }

    /// Reads the head of an HTTP response.
    pub(crate) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within(self.reading.read_u8(), "a response").await.expect("a response"));
        }
        String::from_utf8(head).unwrap()
    }

    /// Reads so many bytes.
    pub(crate) async fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        within(self.reading.read_exact(&mut bytes), "bytes").await.expect("the connection is open");
        bytes
    }

    /// Reads the next frame.
    ///
    /// Fails on anything that no server may send: masked frames (section 5.1),
    /// reserved bits and opcodes, lengths that aren't in their shortest form
    /// (section 5.2), control frames in parts or of more than 125 bytes
    /// (section 5.5), invalid texts (section 5.6), and close codes that may not
    /// be sent (section 7.4). Fragments are allowed, but this server sends
    /// none.
    pub(crate) async fn hear(&mut self) -> Heard {
        let [first, length] = self.bytes(2).await[..] else { unreachable!() };
        assert_eq!(first & 0x70, 0, "a reserved bit is set: {first:x}");
        assert_eq!(first & 0x80, 0x80, "a fragment: {first:x}");
        let length = match length {
            126 => {
                let length = u16::from_be_bytes(self.bytes(2).await.try_into().unwrap()).into();
                assert!(length > 125, "the length is not in its shortest form: {length}");
                length
            }
            127 => {
                let length = u64::from_be_bytes(self.bytes(8).await.try_into().unwrap()) as usize;
                assert!(length > 65_535, "the length is not in its shortest form: {length}");
                length
            }
            length => {
                assert!(length < 126, "the frame is masked");
                length.into()
            }
        };
        let payload = self.bytes(length).await;
        assert!(first & 0x8 == 0 || length <= 125, "a control frame of {length} bytes");
        match first & 0xf {
            0x1 => Heard::Text(String::from_utf8(payload).expect("a text is UTF-8")),
            0x2 => Heard::Binary(payload),
            0x8 => Heard::Close(close_code(&payload)),
            0xa => Heard::Pong(payload),
            opcode => panic!("nobody waits for a frame of opcode {opcode:x}"),
        }
    }

    /// Waits for the server to end the connection in order, not by a reset.
    pub(crate) async fn end(&mut self) {
        let mut rest = Vec::new();
        within(self.reading.read_to_end(&mut rest), "the end").await.expect("no reset");
        assert_eq!(rest, b"", "something follows the close frame");
    }
}

/// Reads the payload of a close frame.
fn close_code(payload: &[u8]) -> Option<u16> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        assert!(payload.is_empty(), "half a close code");
        return None;
    };
    let code = u16::from_be_bytes(*code);
    assert!(matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999), "{code} may not travel");
    std::str::from_utf8(reason).expect("the reason for closing is UTF-8");
    Some(code)
}

/// Rows of up to this many bytes are sent byte by byte, longer ones in pieces.
const ONE_BY_ONE: usize = 400;
const PIECE: usize = 999;

/// Checks the frames that a client of a path receives after it sends these
/// bytes, however the network splits them: the server then ends the connection
/// if the last is a close frame, and answers a ping if it isn't.
pub(crate) async fn check(
    server: &RunningServer,
    path: &str,
    what: &str,
    sent: &[u8],
    expected: &[Heard],
) {
    let piece = if sent.len() > ONE_BY_ONE { PIECE } else { 1 };
    for piece in [sent.len().max(1), piece] {
        let mut wire = Wire::open(server, path).await;
        wire.send_in_pieces(sent, piece).await;
        check_heard(&mut wire, &format!("{what}, in pieces of {piece}"), expected).await;
    }
    let mut wire = Wire::open_with(server, path, sent).await;
    check_heard(&mut wire, &format!("{what}, behind the handshake"), expected).await;
}

async fn check_heard(wire: &mut Wire, what: &str, expected: &[Heard]) {
    for expected in expected {
        let heard = within(wire.hear(), &format!("{expected:?} to {what}")).await;
        assert_eq!(heard, *expected, "{what}");
    }
    if let Some(Heard::Close(_)) = expected.last() {
        return within(wire.end(), &format!("the end of {what}")).await;
    }
    wire.send(&crate::client::frame(crate::client::PING, b"still here?")).await;
    assert_eq!(wire.hear().await, Heard::Pong(b"still here?".to_vec()), "{what}");
}

/// Waits for a fast event.
async fn within<T>(future: impl Future<Output = T>, what: &str) -> T {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.unwrap_or_else(|_| panic!("waited {PATIENCE:?} for {what}"))
}
