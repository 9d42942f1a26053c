//! Connections over system sockets, in each way that the engine holds them.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use super::super::socket::Connection;
#[cfg(target_os = "linux")]
use super::super::socket::tcp;

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

#[derive(Clone, Copy, Debug)]
pub(super) enum Link {
    Portable,
    #[cfg(target_os = "linux")]
    Tcp,
    #[cfg(target_os = "linux")]
    Tls,
}

impl Link {
    /// Returns the links that this system supports.
    pub(super) fn all() -> impl Iterator<Item = Link> {
        [
            Link::Portable,
            #[cfg(target_os = "linux")]
            Link::Tcp,
            #[cfg(target_os = "linux")]
            Link::Tls,
        ]
        .into_iter()
    }

    /// Connects a client, and holds the server's end.
    pub(super) async fn connect(self) -> (Box<dyn Stream>, Connection) {
        let (peer, socket) = tcp_pair().await;
        match self {
            #[cfg(target_os = "linux")]
            Link::Tls => tls_pair(peer, socket).await,
            _ => (Box::new(peer), self.hold(socket)),
        }
    }

    /// Holds the server's end of a connection, before any TLS.
    pub(super) fn hold(self, socket: TcpStream) -> Connection {
        match self {
            Link::Portable => Connection::portable(socket),
            #[cfg(target_os = "linux")]
            Link::Tcp | Link::Tls => tcp::tcp(socket, bytes::Bytes::new(), None).unwrap(),
        }
    }
}

pub(super) async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (peer, listener.accept().await.unwrap().0)
}

#[cfg(target_os = "linux")]
async fn tls_pair(peer: TcpStream, socket: TcpStream) -> (Box<dyn Stream>, Connection) {
    use bytes::Bytes;
    use rustls::crypto::ring;
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, RootCertStore};

    use crate::net::tls::certificate::{Credentials, self_signed};
    use crate::net::tls::config::Tls;

    let acceptor = Tls::new(Credentials::of(self_signed()), false).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(acceptor.certificates()[0].pair.cert[0].clone()).unwrap();
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let (peer, socket) = tokio::join!(
        connector.connect(name, peer),
        acceptor.accept(socket, Duration::from_secs(10), std::future::pending::<()>())
    );
    (Box::new(peer.unwrap()), tcp::tls(socket.unwrap(), Bytes::new(), None).unwrap())
}
