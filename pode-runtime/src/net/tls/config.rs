//! TLS: from a certificate to a stream for HTTP.
//!
//! Versions 1.2 and 1.3, with one provider of cryptography, which is named here
//! so that no other crate's choice can interfere.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::base::error::StartError;
use crate::net::tls::certificate::{
    ClientCertificate, Credentials, Fingerprint, LoadedCertificate, LoadedCredentials, UnusableFile,
};
use crate::net::tls::stream;

/// A connection whose handshake is done.
pub(crate) type TlsStream = stream::TlsStream<TcpStream>;

/// The name of HTTP/2 in the handshake (RFC 9113, section 3.2).
const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";

/// How many bytes are read of a request sent without TLS.
const MOST_IGNORED_BYTES: u64 = 64 << 10;

/// How long a handshake that has begun may go on when the server stops: its end
/// may have come already, and with it the first request.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// What a listener needs to speak TLS. Cheap to clone; all clones are renewed
/// together.
#[derive(Clone)]
pub(crate) struct Tls {
    credentials: Arc<Credentials>,
    http_2: bool,
    /// Loaded by each handshake as it begins. It is replaced as a whole, so
    /// that a resumed session never outlives the certificates or the
    /// authorities with which it began.
    current: Arc<ArcSwap<Current>>,
}

struct Current {
    config: Arc<ServerConfig>,
    certificates: Vec<LoadedCertificate>,
    /// Of the files, taken before they were read.
    fingerprint: Fingerprint,
}

/// The outcome of a check of the files.
#[derive(Debug)]
pub(crate) enum Renewed {
    /// They hold what is already in use.
    Same,
    /// Their content is in use from now on.
    Yes,
    /// Their content can't be used; `fingerprint` is its fingerprint.
    No { reason: UnusableFile, fingerprint: Fingerprint },
}

impl Tls {
    /// Prepares TLS with certificates. `http_2` offers HTTP/2, for addresses
    /// that serve pages. A WebSocket needs HTTP/1.1, for which clients can ask
    /// there.
    ///
    /// # Errors
    ///
    /// A file can't be used.
    pub(crate) fn new(credentials: Credentials, http_2: bool) -> Result<Tls, StartError> {
        let fingerprint = credentials.fingerprint();
        let read = credentials.read(&[]).map_err(|UnusableFile { file, reason }| {
            let endpoint = credentials.endpoint.clone();
            StartError::Certificate { endpoint, file, source: reason }
        })?;
        let current = Current::new(read, fingerprint, http_2);
        Ok(Tls {
            credentials: Arc::new(credentials),
            http_2,
            current: Arc::new(ArcSwap::from_pointee(current)),
        })
    }

    /// Checks the files, and uses their content if it has changed.
    ///
    /// Reads files and derives keys from passwords, so it may take a while.
    pub(crate) fn renew(&self) -> Renewed {
        let fingerprint = self.credentials.fingerprint();
        let current = self.current.load();
        if fingerprint == current.fingerprint {
            return Renewed::Same;
        }
        match self.credentials.read(&current.certificates) {
            Ok(read) => {
                self.current.store(Arc::new(Current::new(read, fingerprint, self.http_2)));
                Renewed::Yes
            }
            Err(reason) => Renewed::No { reason, fingerprint },
        }
    }

    /// Returns the credentials from which the certificates are read.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Returns the certificates that clients are shown now.
    pub(crate) fn certificates(&self) -> Vec<LoadedCertificate> {
        self.current.load().certificates.clone()
    }

    /// Waits for a client's handshake; once `stop` is ready, only for one that
    /// has begun, and only a second.
    ///
    /// # Errors
    ///
    /// The client speaks another protocol, refuses the certificate, goes away,
    /// or doesn't finish `within` that time. A client that speaks plain HTTP
    /// gets an answer.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        within: Duration,
        stop: impl Future,
    ) -> io::Result<TlsStream> {
        let mut stop = pin!(stop);
        let stopping = || io::Error::other("the server stops");
        let handshake = async {
            let mut first = [0];
            tokio::select! {
                biased;
                begun = stream.peek(&mut first) => begun?,
                _ = &mut stop => return Err(stopping()),
            };
            // A handshake begins with a control character, a request with its
            // method.
            if first[0].is_ascii_uppercase() {
                refuse_plain(stream).await?;
                return Err(io::Error::other("the client doesn't speak TLS"));
            }
            let config = Arc::clone(&self.current.load().config);
            let mut handshake = pin!(TlsStream::accept(stream, config));
            tokio::select! {
                biased;
                shaken = &mut handshake => return shaken,
                _ = &mut stop => {}
            }
            timeout(STOP_GRACE, handshake).await.unwrap_or_else(|_| Err(stopping()))
        };
        match timeout(within, handshake).await {
            Ok(stream) => stream,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Current {
    fn new(read: LoadedCredentials, fingerprint: Fingerprint, http_2: bool) -> Current {
        let builder = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("ring's cipher suites are for both versions");
        let builder = match &read.clients {
            Some(clients) => builder.with_client_cert_verifier(Arc::clone(clients)),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(read.resolver());
        let protocols: &[&[u8]] = if http_2 { &[HTTP_2, HTTP_1] } else { &[HTTP_1] };
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Current { config: Arc::new(config), certificates: read.certificates, fingerprint }
    }
}

/// Returns the connection below TLS.
pub(crate) fn tcp_stream(stream: &TlsStream) -> &TcpStream {
    stream.stream()
}

/// Returns the verified certificate that a client has shown.
///
/// # Errors
///
/// The certificate can't be read.
pub(crate) fn client_certificate(stream: &TlsStream) -> io::Result<Option<ClientCertificate>> {
    let Some(shown) = stream.session().client_certificate() else { return Ok(None) };
    let unreadable = || io::Error::other("the certificate of the client can't be read");
    Ok(Some(ClientCertificate::read(shown).ok_or_else(unreadable)?))
}

/// Returns whether a client chose HTTP/2.
pub(crate) fn chose_http_2(stream: &TlsStream) -> bool {
    stream.session().protocol() == Some(HTTP_2)
}

/// Tells a client that speaks plain HTTP to use TLS.
async fn refuse_plain(mut stream: TcpStream) -> io::Result<()> {
    let text = "this port speaks TLS: write https:// or wss://\n";
    let length = text.len();
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{text}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // Closing with unread bytes would reset the connection and lose the answer.
    tokio::io::copy(&mut stream.take(MOST_IGNORED_BYTES), &mut tokio::io::sink()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;
    use crate::net::tls::certificate::self_signed;

    /// Paused time jumps ahead when every task waits for it, so the sockets
    /// need no real time.
    #[tokio::test(start_paused = true)]
    async fn a_handshake_has_its_time() {
        let tls = Tls::new(Credentials::of(self_signed()), true).expect("a certificate is made");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        for said in [&b""[..], &[0x16, 3, 1, 2, 0, 1], b"GET / HTTP/1.1\r\n"] {
            let mut client = TcpStream::connect(address).await.expect("it listens");
            client.write_all(said).await.expect("it is open");
            let (stream, _) = listener.accept().await.expect("a client");
            let started = Instant::now();
            let within = Duration::from_secs(10);
            let error =
                tls.accept(stream, within, pending::<()>()).await.expect_err("nothing comes");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{said:?}");
            assert!(started.elapsed() >= within);
        }
    }
}
