//! Accepting: from a listening socket to connections that have their permit.
//!
//! It continues whatever is wrong with the system or with one connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::base::log::ration::rationed;
use crate::base::trouble::Trouble;
use crate::net::connection_limit::{ConnectionLimit, ConnectionPermit, LimitReached};
use crate::net::listen::Listener;
use crate::net::proxies::Proxies;

/// How long to pause when the system can't accept a connection: time for others
/// to end and free their descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// A connection that has to be served.
pub(crate) struct AcceptedConnection {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) permit: ConnectionPermit,
}

/// Accepts the connections of one address.
pub(crate) struct Acceptor {
    listener: Listener,
    connections: Arc<ConnectionLimit>,
    proxies: Arc<Proxies>,
    is_plain: bool,
    // The following fields keep state across calls, since
    // [`accept`](Self::accept) is dropped midway whenever a connection ends.
    /// Accepted, but without a permit yet.
    waiting: Option<(TcpStream, SocketAddr)>,
    resting_until: Instant,
    /// That the system can't accept connections.
    trouble: Trouble,
}

impl Acceptor {
    pub(crate) fn new(
        listener: Listener,
        connections: Arc<ConnectionLimit>,
        proxies: Arc<Proxies>,
        is_plain: bool,
    ) -> Acceptor {
        let resting_until = Instant::now();
        let trouble = Trouble::default();
        Acceptor { listener, connections, proxies, is_plain, waiting: None, resting_until, trouble }
    }

    /// Waits for the next connection, and for its permit. Cancel safe.
    pub(crate) async fn accept(&mut self) -> AcceptedConnection {
        loop {
            let (stream, peer) = match self.waiting.take() {
                Some(waiting) => waiting,
                None => self.accept_any().await,
            };
            let is_proxy = self.proxies.trusts(peer.ip());
            if self.proxies.open_by_proxy_protocol && !is_proxy {
                rationed!(info, %peer, "refused a connection that isn't from a trusted proxy (`proxy_protocol`)");
                continue;
            }
            // Many clients share the connections of a proxy.
            let counted = Some(peer.ip()).filter(|_| !is_proxy);
            match self.connections.enter(counted) {
                Ok(permit) => return AcceptedConnection { stream, peer, permit },
                Err(LimitReached::All) => {
                    self.waiting = Some((stream, peer));
                    self.connections.room().await;
                }
                Err(LimitReached::Address) => {
                    tracing::debug!(%peer, "refused a connection (`max_connections_per_address`)");
                    if self.is_plain {
                        refuse(&stream);
                    }
                }
            }
        }
    }

    /// Waits for the next connection. Cancel safe.
    async fn accept_any(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            sleep_until(self.resting_until).await;
            let accepted = match self.listener.accept().now_or_never() {
                Some(accepted) => accepted,
                None => {
                    self.has_recovered();
                    self.listener.accept().await
                }
            };
            match accepted {
                Ok(accepted) => return accepted,
                Err(error) if is_about_connection(&error) => {
                    tracing::debug!(%error, "a connection ended before it was accepted");
                }
                Err(error) => {
                    if self.trouble.begins() {
                        tracing::error!(%error, "cannot accept connections, trying again every second");
                    }
                    self.resting_until = Instant::now() + ACCEPT_PAUSE;
                }
            }
        }
    }

    /// Notes that no connection waits to be accepted any more.
    fn has_recovered(&mut self) {
        if self.trouble.ends() {
            tracing::info!("connections are accepted again");
        }
    }
}

/// Tells a client that too many connections come from its address, without
/// waiting: a flood must not hold up the server.
pub(crate) fn refuse(stream: &TcpStream) {
    let text = "too many connections from your address\n";
    let length = text.len();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {length}\r\nRetry-After: 10\r\nConnection: close\r\n\r\n{text}"
    );
    let socket = socket2::SockRef::from(stream);
    // Closing with unread bytes would reset the connection and lose the answer.
    let mut request = [std::mem::MaybeUninit::uninit(); 4096];
    let _ = socket.recv(&mut request);
    let _ = socket.send(answer.as_bytes());
    let _ = socket.shutdown(std::net::Shutdown::Write);
}

/// Returns whether the error concerns only the connection to be accepted.
fn is_about_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use socket2::{Domain, Socket, Type};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;
    use crate::base::log::Collected;
    use crate::http::serve::ServeOptions;
    use crate::net::listen::bind;

    #[tokio::test(start_paused = true)]
    async fn nothing_is_accepted_during_a_pause() {
        let listener = bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let resting_until = Instant::now() + ACCEPT_PAUSE;
        let mut acceptor = Acceptor::new(
            listener.into(),
            ServeOptions::default().connections,
            Arc::default(),
            true,
        );
        acceptor.resting_until = resting_until;
        let peer = TcpStream::connect(address).await.unwrap();
        let accepted = acceptor.accept().await;
        assert_eq!(accepted.peer, peer.local_addr().unwrap());
        assert!(Instant::now() >= resting_until);
    }

    #[tokio::test(start_paused = true)]
    async fn a_system_that_cannot_accept_is_asked_once_a_second_and_told_once_a_minute() {
        let (log, _guard) = Collected::begin();
        let told = |text: &str| log.text().lines().filter(|line| line.contains(text)).count();
        // A socket that doesn't listen, so that each attempt to accept fails.
        let deaf = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            TcpListener::from_std(socket.into()).unwrap()
        };
        let mut acceptor =
            Acceptor::new(deaf().into(), ServeOptions::default().connections, Arc::default(), true);
        let started = Instant::now();
        timeout(Duration::from_millis(2500), acceptor.accept()).await.err().unwrap();
        assert_eq!(acceptor.resting_until, started + 3 * ACCEPT_PAUSE);
        for time in 1..=2 {
            timeout(Duration::from_secs(3600), acceptor.accept()).await.err().unwrap();
            assert_eq!(told("ERROR cannot accept connections"), time);
            assert_eq!(told("INFO connections are accepted again"), time - 1);
            acceptor.listener = bind(&"127.0.0.1:0".parse().unwrap()).unwrap().into();
            timeout(2 * ACCEPT_PAUSE, acceptor.accept()).await.err().unwrap();
            assert_eq!(told("INFO connections are accepted again"), time);
            acceptor.listener = deaf().into();
        }
    }

    #[test]
    fn only_errors_of_a_connection_are_skipped() {
        assert!(is_about_connection(&io::ErrorKind::ConnectionAborted.into()));
        // EMFILE: too many open files.
        assert!(!is_about_connection(&io::Error::from_raw_os_error(24)));
    }
}
