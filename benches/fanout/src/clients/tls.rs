//! A client's side of TLS, by rustls's unbuffered sessions: bytes stay in the
//! buffer that all clients share, except those of an incomplete record.
//!
//! The certificate isn't verified: it is self-signed.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::{fmt, io};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::version::TLS13;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

/// The longest record, and more than any message of a handshake here.
const RECORD_BYTES: usize = (16 << 10) + 512;

/// Makes the configuration of all sessions: TLS 1.3, without resumption.
pub(super) fn config() -> io::Result<Arc<ClientConfig>> {
    let mut config = ClientConfig::builder_with_provider(default_provider().into())
        .with_protocol_versions(&[&TLS13])
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config.into())
}

/// The TLS session of one connection.
pub(super) struct Session {
    connection: UnbufferedClientConnection,
    /// The beginning of an incomplete record.
    incomplete: Vec<u8>,
}

impl Session {
    pub(super) fn new(config: &Arc<ClientConfig>) -> io::Result<Session> {
        let name = ServerName::from(IpAddr::from(Ipv4Addr::LOCALHOST));
        let connection = UnbufferedClientConnection::new(Arc::clone(config), name);
        Ok(Session { connection: connection.map_err(io::Error::other)?, incomplete: Vec::new() })
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Puts the rest of the previous read at the start of the buffer, and returns
    /// its length: the next read goes after it.
    pub(super) fn restore(&mut self, buffer: &mut [u8]) -> usize {
        buffer[..self.incomplete.len()].copy_from_slice(&self.incomplete);
        self.incomplete.len()
    }

    /// Decrypts records, and keeps an incomplete one. Returns the bytes to send
    /// to the server, of which there are none after the handshake.
    pub(super) fn decrypt(
        &mut self,
        records: &mut [u8],
        mut plaintext: impl FnMut(&[u8]),
    ) -> io::Result<Vec<u8>> {
        let mut outgoing = Vec::new();
        let mut used = 0;
        loop {
            let UnbufferedStatus { discard, state, .. } =
                self.connection.process_tls_records(&mut records[used..]);
            let mut done = false;
            match state.map_err(io::Error::other)? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(io::Error::other)?;
                        used += record.discard;
                        plaintext(record.payload);
                    }
                }
                ConnectionState::EncodeTlsData(mut message) => {
                    let start = outgoing.len();
                    outgoing.resize(start + RECORD_BYTES, 0);
                    let encoded = message.encode(&mut outgoing[start..]);
                    outgoing.truncate(start + encoded.map_err(io::Error::other)?);
                }
                ConnectionState::TransmitTlsData(message) => message.done(),
                // More bytes must come first, or the connection has ended.
                _ => done = true,
            }
            used += discard;
            if done {
                self.incomplete.clear();
                self.incomplete.extend_from_slice(&records[used..]);
                return Ok(outgoing);
            }
        }
    }

    /// Encrypts data that is sent after the handshake.
    pub(super) fn encrypt(&mut self, plaintext: &[u8]) -> io::Result<Vec<u8>> {
        let mut record = vec![0; plaintext.len() + 512];
        match self.connection.process_tls_records(&mut []).state.map_err(io::Error::other)? {
            ConnectionState::WriteTraffic(mut traffic) => {
                let length = traffic.encrypt(plaintext, &mut record).map_err(io::Error::other)?;
                record.truncate(length);
                Ok(record)
            }
            state => Err(io::Error::other(format!("nothing can be sent: {state:?}"))),
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// Accepts any certificate.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}
