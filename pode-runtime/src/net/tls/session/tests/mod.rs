//! Sessions against a client of rustls, over a wire that is cut anywhere.

mod forger;
mod pair;

use proptest::prelude::*;
use rustls::AlertDescription;
use rustls::version::{TLS12, TLS13};

use self::forger::{ALERT, DATA, HANDSHAKE};
use self::pair::{Pair, connected_with_few_records};
pub(in super::super) use self::pair::{client_config, server_config, server_name};
use super::*;

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
