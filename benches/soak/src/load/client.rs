//! A client: one connection, and the reason of its end.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// How long a handshake may take, and a closing handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);
pub(crate) const GOODBYE_TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct Client {
    stream: WebSocketStream<TcpStream>,
    /// The count of [`shard_panics`](super::Load::shard_panics) before it connected.
    pub(super) came_at: u64,
}

/// What a client receives.
#[derive(Debug)]
pub(crate) enum Heard {
    Text(String),
    /// A close frame: a code, if there is one, and a reason.
    Close(Option<u16>, String),
    /// The connection ended without a close frame.
    Nothing,
}

impl Client {
    /// Connects to a path.
    ///
    /// # Errors
    ///
    /// A sentence: the handshake is refused, or takes 20 seconds.
    pub(crate) async fn connect(port: u16, path: &str) -> Result<Client, String> {
        Client::over(tcp(port).await, path).await
    }

    /// Connects with a receive buffer too small to read much ahead.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect).
    pub(crate) async fn connect_narrow(port: u16, path: &str) -> Result<Client, String> {
        let narrow = || -> io::Result<TcpSocket> {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.set_recv_buffer_size(16 << 10)?;
            socket.set_nonblocking(true)?;
            Ok(TcpSocket::from_std_stream(socket.into()))
        };
        let stream = match narrow() {
            Ok(socket) => socket.connect(address(port)).await,
            Err(error) => Err(error),
        };
        Client::over(stream, path).await
    }

    async fn over(stream: io::Result<TcpStream>, path: &str) -> Result<Client, String> {
        let stream = stream.map_err(|error| format!("a connect failed: {error}"))?;
        let url = format!("ws://localhost{path}");
        match timeout(HANDSHAKE_TIMEOUT, client_async(url, stream)).await {
            Ok(Ok((stream, _))) => Ok(Client { stream, came_at: 0 }),
            Ok(Err(error)) => Err(format!("a handshake failed: {error}")),
            Err(_) => Err(format!("a handshake took {HANDSHAKE_TIMEOUT:?}")),
        }
    }

    /// Waits for the next text, or the end. Answers pings. Cancel safe.
    pub(crate) async fn hear(&mut self) -> Heard {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Heard::Text(text.to_string()),
                Some(Ok(Message::Close(Some(CloseFrame { code, reason })))) => {
                    return Heard::Close(Some(code.into()), reason.to_string());
                }
                Some(Ok(Message::Close(None))) => return Heard::Close(None, String::new()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Heard::Nothing,
            }
        }
    }

    /// Sends a text; false if the connection has ended.
    pub(crate) async fn say(&mut self, text: String) -> bool {
        self.stream.send(Message::text(text)).await.is_ok()
    }

    /// Sends a frame unchanged.
    pub(crate) async fn send_raw(&mut self, frame: &[u8]) -> bool {
        use tokio::io::AsyncWriteExt;
        self.stream.get_mut().write_all(frame).await.is_ok()
    }

    /// Sends a close frame, and returns the code of the answer, if there is one.
    /// Passes messages that come before the answer to `text`.
    pub(crate) async fn leave(mut self, mut text: impl FnMut(&str)) -> Option<u16> {
        let goodbye = CloseFrame { code: 1000.into(), reason: "".into() };
        self.stream.send(Message::Close(Some(goodbye))).await.ok()?;
        let answer = async {
            loop {
                match self.hear().await {
                    Heard::Text(said) => text(&said),
                    Heard::Close(code, _) => return code,
                    Heard::Nothing => return None,
                }
            }
        };
        timeout(GOODBYE_TIMEOUT, answer).await.ok().flatten()
    }

    /// Ends the connection by a reset.
    pub(crate) fn reset(self) {
        reset(self.stream.into_inner());
    }
}

/// Connects, and sends nothing.
pub(crate) async fn tcp(port: u16) -> io::Result<TcpStream> {
    TcpStream::connect(address(port)).await
}

/// Ends a connection by a reset.
pub(crate) fn reset(stream: TcpStream) {
    // If it can't be set, the connection is closed normally, which does no harm.
    let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}

fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
