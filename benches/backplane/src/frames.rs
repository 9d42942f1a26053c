//! Clients: enough of WebSocket (RFC 6455) to read what a node sends.

use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A client that a node serves. It answers pings as it reads.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

/// What a client gets.
pub(crate) enum Event {
    Text(Vec<u8>),
    Closed,
}

impl Client {
    /// Connects, and offers a subprotocol if there is one.
    pub(crate) fn connect(port: u16, subprotocol: Option<&str>) -> io::Result<Client> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.write_all(handshake(port, "", subprotocol).as_bytes())?;
        let mut stream = BufReader::new(stream);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend(byte);
        }
        match head.starts_with(b"HTTP/1.1 101 ") {
            true => Ok(Client { stream }),
            false => Err(io::Error::other(String::from_utf8_lossy(&head).into_owned())),
        }
    }

    pub(crate) fn next(&mut self) -> io::Result<Event> {
        loop {
            let mut head = [0; 2];
            self.stream.read_exact(&mut head)?;
            let length = match head[1] & 0x7f {
                126 => {
                    let mut length = [0; 2];
                    self.stream.read_exact(&mut length)?;
                    u16::from_be_bytes(length).into()
                }
                127 => return Err(io::Error::other("no message is so long")),
                length => u64::from(length),
            };
            let mut payload = Vec::new();
            (&mut self.stream).take(length).read_to_end(&mut payload)?;
            match head[0] & 0x0f {
                1 => return Ok(Event::Text(payload)),
                8 => return Ok(Event::Closed),
                // Masked by nothing.
                9 => {
                    let mut pong = vec![0x8a, 0x80 | payload.len() as u8, 0, 0, 0, 0];
                    pong.extend(payload);
                    self.stream.get_mut().write_all(&pong)?;
                }
                _ => {}
            }
        }
    }
}

/// Returns the request of a handshake.
pub(crate) fn handshake(port: u16, query: &str, subprotocol: Option<&str>) -> String {
    let offer = subprotocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
    format!(
        "GET /0{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{}\r\n",
        offer.unwrap_or_default()
    )
}
