//! Sessions against a client of rustls, over a wire that is cut anywhere.

use std::sync::LazyLock;

use proptest::prelude::*;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use rustls::crypto::ring::cipher_suite;
use rustls::crypto::{CryptoProvider, ring as provider};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{
    AlertDescription, CipherSuiteCommon, ClientConfig, ClientConnection, ConnectionTrafficSecrets,
    RootCertStore, SupportedCipherSuite, SupportedProtocolVersion, Tls12CipherSuite,
    Tls13CipherSuite,
};

use super::*;

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
fn connected_with_few_records(version: &'static SupportedProtocolVersion) -> Pair {
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

pub(in super::super) fn server_config() -> Arc<ServerConfig> {
    Arc::clone(&CONFIG.0)
}

pub(in super::super) fn server_name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

/// A client of these versions that trusts the server.
pub(in super::super) fn client_config(
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
struct Wire {
    to_server: VecDeque<u8>,
    to_client: VecDeque<u8>,
    /// How many bytes the next calls give and take; then all of them.
    bites: Vec<usize>,
    room: usize,
    /// Whether the client has ended the connection.
    is_ended: bool,
}

impl Wire {
    fn new() -> Wire {
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
struct Pair {
    server: Session,
    wire: Wire,
    client: ClientConnection,
    /// What the client has read.
    heard: Vec<u8>,
}

impl Pair {
    fn new(config: ClientConfig) -> Pair {
        let client = ClientConnection::new(Arc::new(config), server_name()).unwrap();
        let server = Session::new(server_config()).unwrap();
        Pair { server, wire: Wire::new(), client, heard: Vec::new() }
    }

    fn connected(version: &'static SupportedProtocolVersion) -> Pair {
        let mut pair = Pair::new(client_config(&[version]));
        pair.shake_hands();
        pair
    }

    fn shake_hands(&mut self) {
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

    fn client_sends(&mut self) {
        while self.client.wants_write() {
            self.client.write_tls(&mut self.wire.to_server).unwrap();
        }
    }

    fn client_reads(&mut self) -> Result<(), Error> {
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
    fn say(&mut self, message: &[u8]) {
        // rustls buffers 64 KiB.
        for part in message.chunks(1 << 15) {
            self.client.writer().write_all(part).unwrap();
            self.client_sends();
        }
    }

    /// Has the server read all that has come, so much at a time.
    fn hear(&mut self, room: usize) -> Vec<u8> {
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
    fn answer(&mut self, message: &[u8]) {
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
    fn fault(&mut self) -> io::ErrorKind {
        self.server.read(&mut self.wire, &mut [0; 100]).unwrap_err().kind()
    }

    fn check_holds_nothing(&self) {
        let Session { incoming, received, outgoing, .. } = &self.server;
        assert_eq!((incoming.capacity(), received.capacity(), outgoing.capacity()), (0, 0, 0));
    }

    /// Returns the client's keys, with which records can be made that no client
    /// of rustls sends.
    fn forge(self) -> (Session, Wire, Forger) {
        let version = self.client.protocol_version().unwrap();
        let (sequence, secrets) = self.client.dangerous_extract_secrets().unwrap().tx;
        let ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } = secrets else {
            panic!("another suite was chosen")
        };
        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key.as_ref()).unwrap());
        let is_tls_13 = version == rustls::ProtocolVersion::TLSv1_3;
        let iv = iv.as_ref().try_into().unwrap();
        (self.server, self.wire, Forger { key, iv, sequence, is_tls_13 })
    }
}

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;

/// Makes records of any type.
struct Forger {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
    is_tls_13: bool,
}

impl Forger {
    fn record(&mut self, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut payload = content.to_vec();
        let sequence = self.sequence.to_be_bytes();
        let mut nonce = self.iv;
        for (byte, of_sequence) in nonce[4..].iter_mut().zip(sequence) {
            *byte ^= of_sequence;
        }
        self.sequence += 1;
        let header = |kind: u8, length: usize| {
            let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
            vec![kind, 3, 3, high, low]
        };
        let (shown, authenticated) = if self.is_tls_13 {
            payload.push(kind);
            let header = header(DATA, payload.len() + 16);
            (header.clone(), header)
        } else {
            let authenticated = [&sequence[..], &header(kind, payload.len())].concat();
            (header(kind, payload.len() + 16), authenticated)
        };
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(nonce, Aad::from(authenticated), &mut payload).unwrap();
        [shown, payload].concat()
    }
}

/// Some bytes that don't repeat soon.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|number| (number % 251) as u8).collect()
}

#[test]
fn everything_may_come_and_go_byte_by_byte() {
    for version in [&TLS13, &TLS12] {
        // The messages of the handshake come in many records.
        let mut config = client_config(&[version]);
        config.max_fragment_size = Some(32);
        let mut pair = Pair::new(config);
        pair.wire.room = 1;
        pair.wire.bites = vec![1; 20_000];
        pair.shake_hands();
        pair.say(&bytes(1000));
        assert_eq!(pair.hear(7), bytes(1000));
        pair.answer(&bytes(1000));
        assert_eq!(pair.heard, bytes(1000));
        pair.check_holds_nothing();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn cuts_change_nothing(
        bites in prop::collection::vec(
            prop_oneof![Just(1usize), 1..40usize, 1..20_000usize], 0..300),
        sizes in prop::collection::vec(prop_oneof![1..200usize, 1..40_000usize], 1..6),
        room in prop_oneof![1..50usize, 1000..40_000usize],
        is_tls_13: bool,
        updates in prop::collection::vec(any::<bool>(), 6),
    ) {
        let mut pair = Pair::new(client_config(&[if is_tls_13 { &TLS13 } else { &TLS12 }]));
        pair.wire.bites = bites.clone();
        pair.wire.room = room;
        pair.shake_hands();
        pair.wire.bites = bites;
        let mut said = Vec::new();
        for (size, update) in sizes.iter().zip(&updates) {
            if is_tls_13 && *update {
                pair.client.refresh_traffic_keys().unwrap();
            }
            let message = bytes(*size);
            pair.say(&message);
            said.extend_from_slice(&message);
        }
        prop_assert!(pair.hear(room) == said);
        pair.answer(&said);
        prop_assert!(pair.heard == said);
        pair.check_holds_nothing();
    }
}

#[test]
fn an_idle_session_holds_no_buffer() {
    for version in [&TLS13, &TLS12] {
        let mut pair = Pair::connected(version);
        pair.check_holds_nothing();
        pair.say(&bytes(100_000));
        assert_eq!(pair.hear(10), bytes(100_000));
        pair.check_holds_nothing();
        pair.wire.room = 100;
        pair.answer(&bytes(100_000));
        assert_eq!(pair.heard, bytes(100_000));
        pair.check_holds_nothing();
    }
}

#[test]
fn an_incomplete_record_takes_about_as_much_as_has_come() {
    let mut pair = Pair::connected(&TLS13);
    pair.say(&bytes(PLAINTEXT_BYTES));
    let record = std::mem::take(&mut pair.wire.to_server);
    let (last, begun) = record.as_slices().0.split_last().unwrap();
    for (sent, byte) in begun.iter().enumerate() {
        pair.wire.to_server.push_back(*byte);
        assert_eq!(pair.fault(), io::ErrorKind::WouldBlock);
        assert!(pair.server.incoming.capacity() <= 2 * (sent + 1));
    }
    pair.wire.to_server.push_back(*last);
    assert_eq!(pair.hear(PLAINTEXT_BYTES), bytes(PLAINTEXT_BYTES));
    pair.check_holds_nothing();
}

#[test]
fn at_most_one_write_is_held_for_a_client_that_reads_nothing() {
    let mut pair = Pair::connected(&TLS13);
    pair.wire.room = 10;
    let message = bytes(1 << 20);
    let slices = [IoSlice::new(&message)];
    let written = pair.server.write(&mut pair.wire, &slices).unwrap();
    assert_eq!(written, PLAINTEXT_BYTES);
    let again = pair.server.write(&mut pair.wire, &slices).unwrap_err();
    assert_eq!(again.kind(), io::ErrorKind::WouldBlock);
    assert!(pair.server.outgoing.capacity() <= RECORD_BYTES);
}

/// A socket reports that it takes more only after it has refused some.
#[test]
fn a_write_goes_on_until_the_socket_refuses() {
    let mut pair = Pair::connected(&TLS13);
    pair.wire.bites = vec![10];
    assert_eq!(pair.server.write(&mut pair.wire, &[IoSlice::new(b"at once")]).unwrap(), 7);
    assert!(pair.server.is_flushed());
    pair.client_reads().unwrap();
    assert_eq!(pair.heard, b"at once");
}

#[test]
fn slices_become_one_record() {
    let mut pair = Pair::connected(&TLS13);
    let slices = [&b"one "[..], b"", b"two ", b"three"].map(IoSlice::new);
    assert_eq!(pair.server.write(&mut pair.wire, &slices).unwrap(), 13);
    assert_eq!(pair.wire.to_client.len(), 5 + 13 + 1 + 16);
    pair.client_reads().unwrap();
    assert_eq!(pair.heard, b"one two three");
}

#[test]
fn keys_are_updated_by_either_side() {
    let mut pair = Pair::connected(&TLS13);
    for _ in 0..3 {
        pair.client.refresh_traffic_keys().unwrap();
        pair.say(b"ping");
        assert_eq!(pair.hear(100), b"ping");
        // The client learns by the answer that its request was heard, and
        // reads by new keys from then on.
        pair.answer(b"pong");
    }
    assert_eq!(pair.heard, b"pongpongpong");
}

#[test]
fn keys_that_have_encrypted_enough_are_updated() {
    let mut pair = connected_with_few_records(&TLS13);
    for _ in 0..100 {
        pair.answer(b"more");
    }
    assert_eq!(pair.heard, b"more".repeat(100));
}

#[test]
fn keys_of_tls_1_2_that_have_encrypted_enough_end_the_session() {
    let mut pair = connected_with_few_records(&TLS12);
    let mut sent = 0;
    let error = loop {
        match pair.server.write(&mut pair.wire, &[IoSlice::new(b"more")]) {
            Ok(length) => sent += length,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::Other);
    pair.client_reads().unwrap();
    // The end is announced.
    assert_eq!(pair.heard.len(), sent);
    assert_eq!(pair.client.reader().read(&mut [0]).unwrap(), 0);
}

#[test]
fn the_end_is_announced_and_heard() {
    for version in [&TLS13, &TLS12] {
        let mut pair = Pair::connected(version);
        pair.say(b"bye");
        pair.client.send_close_notify();
        pair.client_sends();
        pair.wire.to_server.extend(b"what comes later isn't looked at");
        assert_eq!(pair.hear(2), b"bye");
        assert_eq!(pair.server.read(&mut pair.wire, &mut [0; 10]).unwrap(), 0);
        pair.answer(b"see you");
        pair.server.finish();
        pair.server.finish();
        pair.server.flush(&mut pair.wire).unwrap();
        pair.client_reads().unwrap();
        assert_eq!(pair.heard, b"see you");
        assert_eq!(pair.client.reader().read(&mut [0]).unwrap(), 0);
        let late = pair.server.write(&mut pair.wire, &[IoSlice::new(b"late")]).unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::BrokenPipe);
        pair.check_holds_nothing();
    }
}

#[test]
fn an_end_without_a_word_is_an_error() {
    for length in [0, 5, 20] {
        let mut pair = Pair::connected(&TLS13);
        pair.say(b"a record that is cut");
        pair.wire.to_server.truncate(length);
        pair.wire.is_ended = true;
        assert_eq!(pair.fault(), io::ErrorKind::UnexpectedEof);
    }
    let mut pair = Pair::new(client_config(&[&TLS13]));
    pair.client_sends();
    pair.wire.to_server.truncate(100);
    pair.wire.is_ended = true;
    let error = pair.server.handshake(&mut pair.wire).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn garbage_instead_of_a_hello_gets_an_alert() {
    let mut pair = Pair::new(client_config(&[&TLS13]));
    pair.wire.to_server.extend(b"hello, is anybody there?");
    let error = pair.server.handshake(&mut pair.wire).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert_eq!(pair.client_reads(), Err(Error::AlertReceived(AlertDescription::DecodeError)));
    let error = pair.server.handshake(&mut pair.wire).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn a_changed_record_ends_the_session_after_what_came_before_it() {
    for version in [&TLS13, &TLS12] {
        let mut pair = Pair::connected(version);
        pair.say(b"right");
        pair.say(b"wrong");
        *pair.wire.to_server.back_mut().unwrap() ^= 1;
        let mut buffer = [0; 100];
        let read = pair.server.read(&mut pair.wire, &mut buffer).unwrap();
        assert_eq!(&buffer[..read], b"right");
        assert_eq!(pair.fault(), io::ErrorKind::InvalidData);
        assert_eq!(pair.fault(), io::ErrorKind::InvalidData);
        let error = pair.client_reads().unwrap_err();
        assert_eq!(error, Error::AlertReceived(AlertDescription::BadRecordMac));
        let error = pair.server.write(&mut pair.wire, &[IoSlice::new(b"more")]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        pair.server.finish();
        assert!(pair.wire.to_client.is_empty());
        pair.check_holds_nothing();
    }
}

/// rustls has begun to decrypt it, and must see it at each call.
#[test]
fn the_server_writes_while_a_message_of_the_handshake_is_incomplete() {
    let (mut server, mut wire, mut forger) = Pair::connected(&TLS13).forge();
    // An update of keys, in two records.
    wire.to_server.extend(forger.record(HANDSHAKE, &[24, 0]));
    let error = server.read(&mut wire, &mut [0; 100]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert!(!server.incoming.is_empty());
    wire.to_client.clear();
    server.write(&mut wire, &[IoSlice::new(b"meanwhile")]).unwrap();
    assert_eq!(wire.to_client.len(), 5 + 9 + 1 + 16);
    wire.to_server.extend(forger.record(HANDSHAKE, &[0, 1, 0]));
    let error = server.read(&mut wire, &mut [0; 100]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(server.incoming.capacity(), 0);
    server.finish();
}

#[test]
fn an_endless_message_of_the_handshake_is_refused() {
    for version in [&TLS13, &TLS12] {
        let (mut server, mut wire, mut forger) = Pair::connected(version).forge();
        wire.to_server.extend(forger.record(HANDSHAKE, &[1, 0, 0xff, 0xff]));
        let mut sent = 0;
        let error = loop {
            let error = server.read(&mut wire, &mut [0; 100]).unwrap_err();
            if error.kind() != io::ErrorKind::WouldBlock {
                break error;
            }
            assert!(server.incoming.capacity() <= 2 * (HANDSHAKE_BYTES + RECORD_BYTES));
            wire.to_server.extend(forger.record(HANDSHAKE, &[0]));
            sent += 1;
        };
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(sent > 1000, "{error}");
        assert_eq!(server.incoming.capacity(), 0);
    }
}

#[test]
fn a_new_handshake_is_refused_within_tls_1_2() {
    let (mut server, mut wire, mut forger) = Pair::connected(&TLS12).forge();
    // A hello as clients send it, with its header of four bytes.
    let mut hello = Pair::new(client_config(&[&TLS12]));
    hello.client_sends();
    let hello: Vec<u8> = hello.wire.to_server.into_iter().skip(5).collect();
    wire.to_client.clear();
    wire.to_server.extend(forger.record(HANDSHAKE, &hello));
    wire.to_server.extend(forger.record(DATA, b"go on"));
    let mut buffer = [0; 100];
    let read = server.read(&mut wire, &mut buffer).unwrap();
    assert_eq!(&buffer[..read], b"go on");
    server.flush(&mut wire).unwrap();
    // A warning, encrypted.
    assert_eq!(wire.to_client.make_contiguous()[..5], [ALERT, 3, 3, 0, 2 + 16]);
    wire.to_server.extend(forger.record(HANDSHAKE, &hello));
    let error = server.read(&mut wire, &mut buffer).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}
