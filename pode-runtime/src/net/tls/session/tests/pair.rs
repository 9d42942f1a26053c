//! A session and a client of rustls, with a wire between them that is cut
//! anywhere.

use std::sync::LazyLock;

use rustls::crypto::ring::cipher_suite;
use rustls::crypto::{CryptoProvider, ring as provider};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CipherSuiteCommon, ClientConfig, ClientConnection, RootCertStore, SupportedCipherSuite,
    SupportedProtocolVersion, Tls12CipherSuite, Tls13CipherSuite,
};

use super::super::*;

static CONFIG: LazyLock<(Arc<ServerConfig>, CertificateDer<'static>)> =
    LazyLock::new(|| configure(provider::default_provider()));

/// Makes a certificate, and a server with it.
fn configure(provider: CryptoProvider) -> (Arc<ServerConfig>, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed([String::from("localhost")]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let certificate = made.cert.der().clone();
    let config = ServerConfig::builder_with_provider(provider.into())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .unwrap();
    (config.into(), certificate)
}

/// Connects to a server whose keys encrypt some ten records.
pub(super) fn connected_with_few_records(version: &'static SupportedProtocolVersion) -> Pair {
    let mut provider = provider::default_provider();
    provider.cipher_suites = SUITES
        .map(|suite| match suite {
            SupportedCipherSuite::Tls13(suite) => {
                let common = CipherSuiteCommon { confidentiality_limit: 10, ..suite.common };
                let suite = Tls13CipherSuite { common, ..*suite };
                SupportedCipherSuite::Tls13(Box::leak(suite.into()))
            }
            SupportedCipherSuite::Tls12(suite) => {
                let common = CipherSuiteCommon { confidentiality_limit: 10, ..suite.common };
                let suite = Tls12CipherSuite { common, ..*suite };
                SupportedCipherSuite::Tls12(Box::leak(suite.into()))
            }
        })
        .into();
    let (config, certificate) = configure(provider);
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let mut pair = Pair::new(client_config_with(roots, &[version]));
    pair.server = Session::new(config).unwrap();
    pair.shake_hands();
    pair
}

/// Those whose nonces are made the same way in both versions.
const SUITES: [SupportedCipherSuite; 2] = [
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
];

pub(in super::super::super) fn server_config() -> Arc<ServerConfig> {
    Arc::clone(&CONFIG.0)
}

pub(in super::super::super) fn server_name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

/// A client of these versions that trusts the server.
pub(in super::super::super) fn client_config(
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CONFIG.1.clone()).unwrap();
    client_config_with(roots, versions)
}

fn client_config_with(
    roots: RootCertStore,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let provider = CryptoProvider { cipher_suites: SUITES.into(), ..provider::default_provider() };
    let mut config = ClientConfig::builder_with_provider(provider.into())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.enable_secret_extraction = true;
    config
}

/// A socket that gives and takes some bytes at a time, and holds only so many
/// that the client hasn't read.
pub(super) struct Wire {
    pub(super) to_server: VecDeque<u8>,
    pub(super) to_client: VecDeque<u8>,
    /// How many bytes the next calls give and take; then all of them.
    pub(super) bites: Vec<usize>,
    pub(super) room: usize,
    /// Whether the client has ended the connection.
    pub(super) is_ended: bool,
}

impl Wire {
    pub(super) fn new() -> Wire {
        let (to_server, to_client) = (VecDeque::new(), VecDeque::new());
        Wire { to_server, to_client, bites: Vec::new(), room: usize::MAX, is_ended: false }
    }

    fn bite(&mut self) -> usize {
        self.bites.pop().unwrap_or(usize::MAX)
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.to_server.is_empty() && !self.is_ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let most = self.bite().min(buffer.len());
        self.to_server.read(&mut buffer[..most])
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.room - self.to_client.len();
        if room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let most = self.bite().min(room).min(bytes.len());
        self.to_client.write(&bytes[..most])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Both sides of a connection.
pub(super) struct Pair {
    pub(super) server: Session,
    pub(super) wire: Wire,
    pub(super) client: ClientConnection,
    /// What the client has read.
    pub(super) heard: Vec<u8>,
}

impl Pair {
    pub(super) fn new(config: ClientConfig) -> Pair {
        let client = ClientConnection::new(Arc::new(config), server_name()).unwrap();
        let server = Session::new(server_config()).unwrap();
        Pair { server, wire: Wire::new(), client, heard: Vec::new() }
    }

    pub(super) fn connected(version: &'static SupportedProtocolVersion) -> Pair {
        let mut pair = Pair::new(client_config(&[version]));
        pair.shake_hands();
        pair
    }

    pub(super) fn shake_hands(&mut self) {
        loop {
            self.client_sends();
            let shaken = self.server.handshake(&mut self.wire);
            self.client_reads().unwrap();
            match shaken {
                Ok(()) => return,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}"),
            }
        }
    }

    pub(super) fn client_sends(&mut self) {
        while self.client.wants_write() {
            self.client.write_tls(&mut self.wire.to_server).unwrap();
        }
    }

    pub(super) fn client_reads(&mut self) -> Result<(), Error> {
        while !self.wire.to_client.is_empty() {
            self.client.read_tls(&mut self.wire.to_client).unwrap();
            let state = self.client.process_new_packets()?;
            let start = self.heard.len();
            self.heard.resize(start + state.plaintext_bytes_to_read(), 0);
            self.client.reader().read_exact(&mut self.heard[start..]).unwrap();
        }
        Ok(())
    }

    /// Has the client send a message.
    pub(super) fn say(&mut self, message: &[u8]) {
        // rustls buffers 64 KiB.
        for part in message.chunks(1 << 15) {
            self.client.writer().write_all(part).unwrap();
            self.client_sends();
        }
    }

    /// Has the server read all that has come, so much at a time.
    pub(super) fn hear(&mut self, room: usize) -> Vec<u8> {
        let mut all = Vec::new();
        let mut buffer = vec![0; room];
        loop {
            match self.server.read(&mut self.wire, &mut buffer) {
                Ok(0) => return all,
                Ok(read) => all.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return all,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Has the server send a message, while the client reads.
    pub(super) fn answer(&mut self, message: &[u8]) {
        let mut rest = message;
        while !rest.is_empty() || !self.server.is_flushed() {
            let sent = if rest.is_empty() {
                self.server.flush(&mut self.wire).map(|()| 0)
            } else {
                self.server.write(&mut self.wire, &[IoSlice::new(rest)])
            };
            match sent {
                Ok(sent) => rest = &rest[sent..],
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}"),
            }
            self.client_reads().unwrap();
        }
    }

    /// Has the server read, and returns its error.
    pub(super) fn fault(&mut self) -> io::ErrorKind {
        self.server.read(&mut self.wire, &mut [0; 100]).unwrap_err().kind()
    }

    pub(super) fn check_holds_nothing(&self) {
        let Session { incoming, received, outgoing, .. } = &self.server;
        assert_eq!((incoming.capacity(), received.capacity(), outgoing.capacity()), (0, 0, 0));
    }
}
