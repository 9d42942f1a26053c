//! Loading a stream, entry by entry.

use pode_core::Message;
use pode_core::hub::{Hub, LogBounds, Position};

use super::*;
use crate::backplane::carrier::FIRST_TERM;
use crate::backplane::entry::{Origin, What, first_of_term};

const EPOCH: u64 = 7;

fn id(index: u64) -> EntryId {
    EntryId { term: FIRST_TERM, index }
}

/// An id of somebody else, behind those of the first term.
fn later(milliseconds: u64) -> EntryId {
    EntryId { term: FIRST_TERM + milliseconds, index: 0 }
}

fn message() -> Vec<u8> {
    let origin = Origin { epoch: EPOCH, node: 1, serial: 0, sent_ms: unix_ms() };
    What::Envelope(&Envelope::Broadcast(Message::text("1"))).write(origin).unwrap()
}

fn stream() -> Stream {
    let bounds = LogBounds { messages: 100, age: None, bytes: 1 << 20 };
    let log = Log::new(Position { epoch: EPOCH, number: 0 }, bounds);
    let (hub, _receivers) = Hub::with_logs([("/", 8, Some(log))]);
    let channel = hub.channel("/").unwrap().clone();
    Stream {
        channel: Some(channel),
        has_lasting: false,
        last: None,
        cursor: EntryId::default(),
        missed_after: None,
        spoiled: None,
        top: Top { id: id(100), is_kept: true },
        is_loaded: false,
        lost: Default::default(),
    }
}

/// Loads these entries; returns whether who comes from behind the first of them gets all
/// others.
fn is_whole(entries: &[(EntryId, &[u8])]) -> bool {
    let mut stream = stream();
    let mut before = EntryId::default();
    for (id, body) in entries {
        stream.load(before, *id, body);
        before = stream.missed_after.take().unwrap_or(*id);
    }
    let log = stream.channel.as_ref().unwrap().log().unwrap();
    let position = Position { epoch: EPOCH, number: entries[0].0.behind() };
    log.with(|log| log.resume(&None, position).is_ok())
}

/// Nodes may trim the stream while this one reads it.
#[test]
fn what_is_dropped_while_a_node_loads_is_lacking_there() {
    let (message, begin) = (message(), first_of_term(EPOCH, EntryId::default()));
    let (message, begin) = (&message[..], begin.as_bytes());
    assert!(is_whole(&[(id(1), begin), (id(2), message), (id(3), message)]));
    assert!(is_whole(&[(id(1), begin), (id(2), b"rubbish"), (id(3), message)]));
    assert!(is_whole(&[(id(1), begin), (id(2), message), (later(7), b"rubbish")]));
    let next = EntryId { index: 1, ..later(8) };
    for (head, is_all) in [(2, true), (3, false)] {
        let body = first_of_term(EPOCH, id(head));
        let entries =
            [(id(1), begin), (id(2), message), (later(7), b"rubbish"), (next, body.as_bytes())];
        assert_eq!(is_whole(&entries), is_all, "{head}");
    }
    assert!(!is_whole(&[(id(2), message), (id(5), message), (id(6), message)]));
    assert!(!is_whole(&[(id(2), message), (id(5), b"rubbish"), (id(6), message)]));
}

#[test]
fn what_is_of_a_term_whose_numbers_come_twice_counts_no_more() {
    let (mut stream, before, message) = (stream(), later(0), message());
    assert!(!stream.is_spoiled(before, later(7), b"rubbish"));
    assert!(!stream.is_spoiled(before, id(7), &message));
    assert!(stream.is_spoiled(before, later(8), &message));
    assert!(stream.is_spoiled(later(8), EntryId { index: 1, ..later(8) }, &message));
    assert!(!stream.is_spoiled(before, EntryId { index: 1, ..later(9) }, &message));
}
