//! TLS of a test's clients, which trust whatever certificate its server shows:
//! the server is in the same process.

use std::fmt::Display;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::identity::Identity;
use super::patience::{OrFail, Patience};
use crate::net::upgraded::AnyStream;

pub(super) async fn connect(
    stream: TcpStream,
    host: &str,
    identity: Option<&Identity>,
    patience: Patience,
) -> Box<dyn AnyStream> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring's cipher suites are for all versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustAll(provider)));
    let config = match identity {
        None => config.with_no_client_auth(),
        Some(Identity { chain, key }) => {
            let unusable = |file: &dyn Display| format!("{file} is of no use");
            let chain_text = unusable(&chain.display());
            let certificates = CertificateDer::pem_file_iter(chain)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .or_fail(patience, chain_text);
            let key_text = unusable(&key.display());
            let key = PrivateKeyDer::from_pem_file(key).or_fail(patience, &key_text);
            config.with_client_auth_cert(certificates, key).or_fail(patience, key_text)
        }
    };
    let name = ServerName::try_from(host.to_owned());
    let name = name.or_fail(patience, format_args!("`{host}` is no host"));
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    Box::new(connected.or_fail(patience, "there is no TLS connection"))
}

#[derive(Debug)]
struct TrustAll(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
