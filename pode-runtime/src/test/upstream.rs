//! An upstream that a test plays: it is what the server connects to.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use std::{io, mem};

use pode_core::UpstreamName;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::server::{
    ErrorResponse, Request as HandshakeRequest, Response as HandshakeResponse,
};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use super::conversation::conversation_methods;
use super::server::TestServer;
use super::settling::Settling;
use super::socket::Socket;
use super::stream::loopback;
use crate::upstream::DeclaredUpstream;

/// The other end of an upstream, which the test plays: it gets what its server
/// `Sends`, and sends what it `Receives`.
///
/// Dropping it cuts the connection.
///
/// # Panics
///
/// As those of [`Client`](super::Client), its methods panic at the deadline, and if
/// something else comes.
pub struct TestUpstream<Sends, Receives> {
    socket: Socket,
    /// The path and the query that the server asks for.
    target: String,
    settling: Arc<Settling>,
    deadline: Duration,
    payload: PhantomData<fn(Receives) -> Sends>,
}

impl TestServer {
    /// Waits until the server connects to an upstream, and plays the other end.
    ///
    /// The server's upstreams lead here, whatever their URLs say; TLS is left out. An
    /// upstream that the test doesn't play isn't connected. After the end of a
    /// connection, the server connects again at once: call this once more for the
    /// next.
    ///
    /// # Panics
    ///
    /// It doesn't connect in time, or the server declares no such upstream.
    #[track_caller]
    pub fn upstream<Sends, Receives>(
        &self,
        name: UpstreamName<Sends, Receives>,
    ) -> impl Future<Output = TestUpstream<Sends, Receives>> + Send {
        let patience = self.patience();
        let shown = format!("from upstream `{}`", name.as_str());
        let handle = self.running.upstream(name);
        async move {
            let Some((_, listener)) = self.upstreams.iter().find(|(it, _)| *it == name.as_str())
            else {
                patience.fail(format_args!("no upstream `{}` is declared", name.as_str()))
            };
            let connected = async {
                let (stream, target) = accept(listener).await;
                // It may have closed the connection again, if `on_connect` has failed.
                while !handle.is_connected() && readable(stream.get_ref()).is_none() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                (stream, target)
            };
            let (stream, target) = patience.wait(format!("a connection {shown}"), connected).await;
            let socket = Socket::hold(stream, shown);
            let (settling, deadline) = (Arc::clone(&self.settling), self.endpoints.deadline);
            settling.add_upstream(socket.link());
            TestUpstream { socket, target, settling, deadline, payload: PhantomData }
        }
    }
}

/// Has the upstreams of a server lead to this test.
pub(super) fn redirected<Context>(
    upstreams: &mut [DeclaredUpstream<Context>],
) -> io::Result<Vec<(&'static str, TcpListener)>> {
    let redirect = |upstream: &mut DeclaredUpstream<Context>| {
        let listener = loopback()?;
        upstream.redirect(listener.local_addr()?);
        Ok((upstream.name(), listener))
    };
    upstreams.iter_mut().map(redirect).collect()
}

/// Accepts the next connection that hasn't ended meanwhile.
async fn accept(listener: &TcpListener) -> (WebSocketStream<TcpStream>, String) {
    loop {
        let mut target = String::new();
        #[expect(clippy::result_large_err, reason = "the library's callback is like that")]
        let look = |request: &HandshakeRequest, response: HandshakeResponse| {
            target = request.uri().to_string();
            Ok::<_, ErrorResponse>(response)
        };
        let Ok((stream, _)) = listener.accept().await else { continue };
        if let Ok(socket) = accept_hdr_async(stream, look).await
            && readable(socket.get_ref()) != Some(0)
        {
            return (socket, target);
        }
    }
}

/// Returns how many bytes can be read, one at most: none of a connection that has
/// ended; `None` if nothing has come.
fn readable(stream: &TcpStream) -> Option<usize> {
    match SockRef::from(stream).peek(&mut [mem::MaybeUninit::uninit()]) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        peeked => Some(peeked.unwrap_or_default()),
    }
}

conversation_methods!(TestUpstream, Sends, Receives);

impl<Sends, Receives> TestUpstream<Sends, Receives> {
    /// Returns the path and the query that the server asks for.
    pub fn path(&self) -> &str {
        &self.target
    }

    /// Closes the connection with a code and a reason, and waits for its end.
    #[track_caller]
    pub fn close(self, code: u16, reason: &str) -> impl Future<Output = ()> + Send {
        let patience = self.patience();
        async move { self.socket.close(code, reason, patience).await }
    }
}

// A derive would require the same of the payload types.
impl<Sends, Receives> std::fmt::Debug for TestUpstream<Sends, Receives> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestUpstream").field("path", &self.target).finish_non_exhaustive()
    }
}
