//! Clients with TLS, and clients with HTTP/2. `certificates/make.sh` makes the
//! certificates.

use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::{Body, Bytes};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pode::Certificate;
use pode::certificate::pem;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use super::{Answer, within};

pub(crate) const FOLDER: &str = "behavior/certificates";

pub(crate) fn file(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

/// Returns a certificate for `localhost`.
pub(crate) fn certificate() -> Certificate {
    pem(file("chain.pem"), file("key.pem"))
}

/// Returns the configuration of a client that trusts one certificate.
pub(crate) fn trusting(
    root: CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

pub(crate) fn trusting_root() -> ClientConfig {
    trusting(CertificateDer::from_pem_file(file("root.pem")).unwrap(), &[&TLS12, &TLS13])
}

/// Does a TLS handshake as a client that expects this name in the certificate.
pub(crate) async fn connect(
    config: ClientConfig,
    address: SocketAddr,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    within(TlsConnector::from(Arc::new(config)).connect(name, stream), "a TLS handshake").await
}

/// Opens an HTTP/2 connection.
pub(crate) async fn http_2<B>(address: SocketAddr) -> SendRequest<B>
where
    B: Body<Data: Send, Error: std::error::Error + Send + Sync> + Unpin + Send + 'static,
{
    let mut config = trusting_root();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = connect(config, address, "localhost").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    http_2_over(stream).await
}

/// Does the same over an existing connection.
pub(crate) async fn http_2_over<B>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> SendRequest<B>
where
    B: Body<Data: Send, Error: std::error::Error + Send + Sync> + Unpin + Send + 'static,
{
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (requests, connection) = within(handshake, "a handshake").await.unwrap();
    tokio::spawn(connection);
    requests
}

/// Sends one request over HTTP/2, and reads the whole response.
pub(crate) async fn ask<B>(
    mut requests: SendRequest<B>,
    request: Request<B>,
) -> hyper::Result<Answer>
where
    B: Body<Data = Bytes> + Send + 'static,
{
    let exchange = async {
        requests.ready().await?;
        let (head, body) = requests.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes().to_vec();
        let headers = head.headers.iter().map(|(name, value)| {
            (name.to_string(), value.to_str().expect("the head is text").to_owned())
        });
        Ok(Answer { status: head.status.as_u16(), headers: headers.collect(), body })
    };
    within(exchange, "an answer").await
}
