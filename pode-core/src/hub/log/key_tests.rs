use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const PLENTY: LogBounds = LogBounds { messages: 100, age: None, bytes: 1 << 20 };

fn log(bounds: LogBounds) -> Log<u8> {
    Log::new(Position { epoch: 7, number: 0 }, bounds)
}

/// Sets a key at a path; to nothing, to remove it.
fn set(log: &mut Log<u8>, path: &Path, key: &str, value: &str, now: u32) {
    let (path, key, frame) = (path.as_ref(), Some(&Arc::from(key)), value.as_bytes());
    log.push(LogEntry { path, audience: None, key, frame }, now);
}

/// Returns the number, the key and the value of what is read.
fn read(
    log: &Log<u8>,
    path: &Path,
    from: u64,
    snapshot: Option<Snapshot>,
) -> Result<Vec<(u64, String, String)>, LogGap> {
    let until = log.position().number;
    let mut frames = Frames::default();
    let write = |stored: &Stored<'_, u8>, bytes: &mut Vec<u8>| {
        let key = stored.key.map_or("-", |key| key);
        let item = (stored.number, key, String::from_utf8_lossy(stored.frame));
        serde_json::to_writer(&mut *bytes, &item).unwrap();
        bytes.push(b'\n');
    };
    let wanted = Wanted { from, until, snapshot };
    assert_eq!(log.read(path, wanted, |_, _| true, write, &mut frames)?, until);
    let lines = frames.bytes.split_inclusive(|byte| *byte == b'\n');
    Ok(lines.map(|line| serde_json::from_slice(line).unwrap()).collect())
}

fn item(number: u64, key: &str, value: &str) -> (u64, String, String) {
    (number, key.to_owned(), value.to_owned())
}

#[test]
fn a_newer_message_of_a_key_stands_in_for_the_older_one() {
    let mut log = log(PLENTY);
    for (key, value) in [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4"), ("b", "")] {
        set(&mut log, &None, key, value, 0);
    }
    let all = [item(2, "a", "3"), item(3, "c", "4"), item(4, "b", "")];
    assert_eq!(read(&log, &None, 0, None), Ok(all.to_vec()), "nothing is missing");
    assert_eq!(read(&log, &None, 3, None), Ok(all[1..].to_vec()));
    let snapshot = Some(Snapshot { until: 5, others_from: 5 });
    assert_eq!(read(&log, &None, 0, snapshot), Ok(all[..2].to_vec()));
    let newest = [0, 1, 2, 3].map(|most| log.newest_values(&None, 5, most));
    assert_eq!(newest, [5, 3, 2, 2]);
    assert_eq!(log.newest_values(&None, 3, 9), 2);
    assert_eq!(log.newest_values(&None, 2, 9), 2);
    set(&mut log, &None, "b", "6", 0);
    assert_eq!(read(&log, &None, 4, None), Ok(vec![item(5, "b", "6")]));
}

/// What is dropped by a bound is missing, for whoever comes from before.
#[test]
fn as_many_keys_are_kept_as_messages_are_promised() {
    let mut log = log(LogBounds { messages: 2, ..PLENTY });
    for (key, value) in [("a", "1"), ("b", "2"), ("a", "3"), ("b", "4")] {
        set(&mut log, &None, key, value, 0);
    }
    assert_eq!(log.dropped_to(&None), 0);
    set(&mut log, &None, "c", "5", 0);
    assert_eq!(read(&log, &None, 2, None), Err(LogGap { until: 3 }));
    assert_eq!(read(&log, &None, 3, None).unwrap().len(), 2);
    let mut snapshot = Snapshot { until: 5, others_from: 5 };
    assert_eq!(read(&log, &None, 0, Some(snapshot)).unwrap().len(), 2);
    // As many removals are known, besides.
    for key in ["b", "c", "d"] {
        set(&mut log, &None, key, "", 0);
    }
    assert_eq!(log.dropped_to(&None), 6);
    assert_eq!(read(&log, &None, 0, Some(snapshot)), Err(LogGap { until: 6 }));
    snapshot.until = 8;
    assert_eq!(read(&log, &None, 0, Some(snapshot)), Ok(vec![]));
}

#[test]
fn values_do_not_age_and_removals_do() {
    for (age, kept_for) in [(None, REMOVAL_AGE), (Some(5), 5)] {
        let mut log = log(LogBounds { age, ..PLENTY });
        set(&mut log, &None, "a", "1", 0);
        set(&mut log, &None, "b", "2", 0);
        set(&mut log, &None, "b", "", 0);
        push(&mut log, b"without a key", 0);
        log.expire(kept_for);
        assert_eq!(log.dropped_to(&None), 0);
        assert_eq!(read(&log, &None, 0, None).unwrap().len(), 3);
        log.expire(kept_for + 1);
        assert_eq!(log.dropped_to(&None), if age.is_some() { 4 } else { 3 });
        let snapshot = Some(Snapshot { until: 4, others_from: 4 });
        assert_eq!(read(&log, &None, 0, snapshot), Ok(vec![item(0, "a", "1")]));
    }
}

fn push(log: &mut Log<u8>, frame: &[u8], now: u32) {
    log.push(LogEntry { path: None, audience: None, key: None, frame }, now);
}

/// A reply to a client takes the place of no value.
#[test]
fn messages_without_a_key_have_bounds_of_their_own() {
    let mut log = log(LogBounds { messages: 2, ..PLENTY });
    set(&mut log, &None, "a", "1", 0);
    set(&mut log, &None, "b", "2", 0);
    for _ in 0..SLACK_MESSAGES + 5 {
        push(&mut log, b"reply", 0);
    }
    let dropped_to = log.dropped_to(&None);
    assert_eq!(dropped_to, 7);
    let snapshot = Some(Snapshot { until: dropped_to, others_from: dropped_to });
    let all = read(&log, &None, 0, snapshot).unwrap();
    assert_eq!(all[..3], [item(0, "a", "1"), item(1, "b", "2"), item(7, "-", "reply")]);
}

/// A value is as old as its key's last change, so the bytes of others push out what
/// hasn't changed for the longest time.
#[test]
fn where_there_is_no_room_spare_messages_go_first_and_then_removals() {
    let bytes = STATE_BYTES + 4 * (2 + KEY_BYTES) + ENTRY_BYTES + 5;
    let mut log = log(LogBounds { messages: 2, age: None, bytes });
    set(&mut log, &None, "a", "1", 0);
    set(&mut log, &None, "b", "2", 0);
    push(&mut log, b"first", 0);
    set(&mut log, &None, "c", "", 0);
    set(&mut log, &None, "d", "", 0);
    assert_eq!((log.dropped_to(&None), log.len), (0, 5));
    push(&mut log, b"second", 0);
    assert_eq!((log.dropped_to(&None), log.len), (4, 5), "the first removal");
    for _ in 0..100 {
        push(&mut log, b"more", 0);
    }
    assert!(log.dropped_to(&None) > 90, "then those without a key");
    let snapshot = Some(Snapshot { until: u64::MAX, others_from: u64::MAX });
    assert_eq!(read(&log, &None, 0, snapshot).unwrap().len(), 2, "values stay");
}

#[derive(Clone, Debug)]
enum Step {
    Set {
        room: u8,
        key: u8,
        bytes: usize,
    },
    Remove {
        room: u8,
        key: u8,
    },
    Say {
        room: u8,
    },
    Wait(u32),
    Bounds(LogBounds),
    Lose,
    /// The log is handed over.
    HandOver,
    /// A client comes from where it was, or reads on.
    Read {
        client: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (room, key) = (0..2_u8, 0..5_u8);
    prop_oneof![
        9 => (room.clone(), key.clone(), 1..40_usize)
            .prop_map(|(room, key, bytes)| Step::Set { room, key, bytes }),
        4 => (room.clone(), key).prop_map(|(room, key)| Step::Remove { room, key }),
        1 => room.prop_map(|room| Step::Say { room }),
        1 => (1..4_u32).prop_map(Step::Wait),
        1 => bounds().prop_map(Step::Bounds),
        1 => Just(Step::Lose),
        1 => Just(Step::HandOver),
        9 => (0..4_u8).prop_map(|client| Step::Read { client }),
    ]
}

fn bounds() -> impl Strategy<Value = LogBounds> {
    let age = prop::option::of(0..6_u32);
    let bytes = prop_oneof![
        Just(STATE_BYTES + 3 * KEY_BYTES),
        Just(2 * (STATE_BYTES + PATH_BYTES) + 6 * KEY_BYTES),
        Just(1 << 20)
    ];
    (0..6_usize, age, bytes).prop_map(|(messages, age, bytes)| LogBounds { messages, age, bytes })
}

type Values = BTreeMap<u8, String>;

/// A client of a room that reads now and then.
#[derive(Default)]
struct Client {
    values: Values,
    at: u64,
}

proptest! {
    /// Whenever a client has read all, each value that it has is the last of its key, and
    /// it has all that are kept. It has forgotten none for which there is room.
    #[test]
    fn whoever_reads_has_the_state(
        bounds in bounds(),
        is_family in any::<bool>(),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let path = |room: u8| is_family.then(|| room.to_string().into());
        let mut log = log(bounds);
        let mut now = 0;
        let mut rooms: [Values; 2] = Default::default();
        let mut clients: [Client; 4] = Default::default();
        let mut is_roomy = bounds.messages >= 5 && bounds.bytes == 1 << 20;
        for (index, step) in steps.into_iter().enumerate() {
            match step {
                Step::Set { room, .. } | Step::Remove { room, .. }
                    if room > 0 && !is_family => {}
                Step::Set { room, key, bytes } => {
                    let value = format!("{index:>bytes$}");
                    set(&mut log, &path(room), &key.to_string(), &value, now);
                    rooms[usize::from(room)].insert(key, value);
                }
                Step::Remove { room, key } => {
                    set(&mut log, &path(room), &key.to_string(), "", now);
                    rooms[usize::from(room)].remove(&key);
                }
                Step::Say { room } => {
                    let path = path(room);
                    let entry =
                        LogEntry { path: path.as_ref(), audience: None, key: None, frame: b"hi" };
                    log.push(entry, now);
                }
                Step::Wait(seconds) => {
                    now += seconds;
                    log.expire(now);
                }
                Step::Bounds(bounds) => {
                    log.set_bounds(bounds, now);
                    is_roomy &= bounds.messages >= 5 && bounds.bytes == 1 << 20;
                }
                Step::Lose => {
                    log.lose_to(log.position().number);
                    is_roomy = false;
                }
                Step::HandOver => log = handed_over(&log),
                Step::Read { client } => {
                    let room = if is_family { client % 2 } else { 0 };
                    let client = &mut clients[usize::from(client)];
                    let name = path(room);
                    let until = log.position().number;
                    let items = read(&log, &name, client.at, None).unwrap_or_else(|_| {
                        client.values.clear();
                        let snapshot = Some(Snapshot { until, others_from: until });
                        read(&log, &name, 0, snapshot).unwrap()
                    });
                    client.at = until;
                    prop_assert!(items.is_sorted_by_key(|item| item.0));
                    for (_, key, value) in items {
                        let Ok(key) = key.parse() else { continue };
                        match value.is_empty() {
                            true => client.values.remove(&key),
                            false => client.values.insert(key, value),
                        };
                    }
                    let state = &rooms[usize::from(room)];
                    for (key, value) in &client.values {
                        prop_assert_eq!(Some(value), state.get(key), "of {}", key);
                    }
                    for kept in log.kept().filter(|kept| kept.entry.path == name.as_ref()) {
                        if let Some(key) = kept.entry.key && !kept.entry.frame.is_empty() {
                            prop_assert!(client.values.contains_key(&key.parse().unwrap()));
                        }
                    }
                    if is_roomy {
                        prop_assert_eq!(&client.values, state);
                    }
                }
            }
            check_counts(&log, now)?;
        }
    }
}

/// Does as two processes do.
fn handed_over(log: &Log<u8>) -> Log<u8> {
    let Position { epoch, number: next } = log.position();
    let (_, number) = log.gaps().last().unwrap();
    let mut copy = log.successor(Position { epoch, number }, log.earlier().to_vec());
    for (path, from) in log.gaps() {
        if let Some(path) = path {
            copy.set_gap(path.clone(), from);
        }
    }
    for Kept { number, sent, entry } in log.kept() {
        copy.skip_to(number);
        copy.push(entry, sent);
    }
    copy.skip_to(next);
    copy
}

fn check_counts(log: &Log<u8>, now: u32) -> Result<(), TestCaseError> {
    let LogBounds { messages, age, bytes } = log.bounds;
    let counted = log.kept().map(|Kept { entry, .. }| match entry.key {
        Some(key) => key.len() + entry.frame.len() + KEY_BYTES,
        None => entry.frame.len() + ENTRY_BYTES,
    });
    let with_keys = log.paths.keys().filter(|path| {
        log.kept().any(|kept| kept.entry.path == path.as_ref() && kept.entry.key.is_some())
    });
    let paths = log.paths.keys().map(path_bytes).sum::<usize>();
    let counted = counted.sum::<usize>() + with_keys.count() * STATE_BYTES + paths;
    prop_assert_eq!((log.len, log.bytes), (log.kept().count(), counted));
    prop_assert!(log.bytes <= bytes || log.len <= 1 && log.emptied.is_empty());
    for path in log.paths.keys() {
        let of = |is_removal| {
            let of_path = log.kept().filter(|kept| kept.entry.path == path.as_ref());
            of_path.filter(move |kept| {
                kept.entry.key.is_some() && kept.entry.frame.is_empty() == is_removal
            })
        };
        prop_assert!(of(false).count() <= messages && of(true).count() <= messages);
        let oldest = of(true).map(|kept| kept.sent).min().unwrap_or(now);
        prop_assert!(now - oldest <= age.unwrap_or(REMOVAL_AGE));
        let mut keys: Vec<_> =
            of(false).chain(of(true)).filter_map(|kept| kept.entry.key).collect();
        keys.sort();
        keys.dedup();
        prop_assert_eq!(keys.len(), of(false).chain(of(true)).count(), "a key is there once");
    }
    Ok(())
}
