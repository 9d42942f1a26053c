//! Records that no client of rustls sends.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use rustls::{ConnectionTrafficSecrets, ProtocolVersion};

use super::super::Session;
use super::pair::{Pair, Wire};

pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const DATA: u8 = 23;

/// Makes records of any type.
pub(super) struct Forger {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
    is_tls_13: bool,
}

impl Forger {
    pub(super) fn record(&mut self, kind: u8, content: &[u8]) -> Vec<u8> {
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

impl Pair {
    /// Returns the client's keys, with which records can be made that no client
    /// of rustls sends.
    pub(super) fn forge(self) -> (Session, Wire, Forger) {
        let version = self.client.protocol_version().unwrap();
        let (sequence, secrets) = self.client.dangerous_extract_secrets().unwrap().tx;
        let ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } = secrets else {
            panic!("another suite was chosen")
        };
        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key.as_ref()).unwrap());
        let is_tls_13 = version == ProtocolVersion::TLSv1_3;
        let iv = iv.as_ref().try_into().unwrap();
        (self.server, self.wire, Forger { key, iv, sequence, is_tls_13 })
    }
}
