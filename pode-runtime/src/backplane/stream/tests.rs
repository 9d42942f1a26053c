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

/// Loads these entries; returns whether who comes from behind the first of them gets all
/// others.
fn is_whole(entries: &[(EntryId, &[u8])]) -> bool {
    let bounds = LogBounds { messages: 100, age: None, bytes: 1 << 20 };
    let log = Log::new(Position { epoch: EPOCH, number: 0 }, bounds);
    let (hub, _receivers) = Hub::with_logs([("/", 8, Some(log))]);
    let channel = hub.channel("/").unwrap().clone();
    let log = Arc::clone(channel.log().unwrap());
    let mut stream = Stream {
        channel: Some(channel),
        has_lasting: false,
        last: None,
        cursor: EntryId::default(),
        missed_after: None,
        spoiled: None,
        top: Top { id: id(100), is_kept: true },
        is_loaded: false,
        lost: Default::default(),
    };
    let mut before = EntryId::default();
    for (id, body) in entries {
        stream.load(before, *id, body);
        before = *id;
    }
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
    assert!(!is_whole(&[(id(2), message), (id(5), message), (id(6), message)]));
    assert!(!is_whole(&[(id(2), message), (id(5), b"rubbish"), (id(6), message)]));
}
