use proptest::prelude::*;

use super::*;

impl Weigh for u8 {
    fn bytes(&self) -> usize {
        5
    }
}

fn log(bounds: LogBounds) -> Log<u8> {
    Log::new(Position { epoch: 7, number: 10 }, bounds)
}

/// What is said in room 4 is said in all of them.
fn room(number: u8) -> Path {
    (number != 4).then(|| number.to_string().into())
}

fn push(log: &mut Log<u8>, path: &Path, frame: &[u8], now: u32) {
    log.push(LogEntry { path: path.as_ref(), audience: None, key: None, frame }, now);
}

fn as_it_is(stored: &Stored<'_, u8>, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(stored.frame);
}

/// Reads everything from a number on, for a member of group 1.
fn read(log: &Log<u8>, path: &Path, mut from: u64) -> Result<Vec<u64>, LogGap> {
    let (mut all, mut frames) = (Vec::new(), Frames::default());
    let until = log.position().number;
    loop {
        let wanted = Wanted { from, until, snapshot: None };
        let next = log.read(path, wanted, |_, group| *group == 1, as_it_is, &mut frames)?;
        all.extend(frames.ends.iter().map(|(_, behind)| behind - 1));
        assert_eq!(frames.ends.last().map_or(0, |(end, _)| *end), frames.bytes.len());
        if next == until {
            return Ok(all);
        }
        assert!(next > from);
        from = next;
    }
}

#[test]
fn a_message_takes_little_besides_its_frame() {
    assert_eq!(ENTRY_BYTES, 24);
}

#[test]
fn where_a_write_was_cut_is_found() {
    let mut log = log(LogBounds { messages: 9, age: None, bytes: 1000 });
    for frame in [&b"one "[..], b"two ", b"three"] {
        push(&mut log, &None, frame, 0);
    }
    let mut frames = Frames::default();
    let wanted = Wanted { from: 10, until: 13, snapshot: None };
    assert_eq!(log.read(&None, wanted, |_, _| true, as_it_is, &mut frames), Ok(13));
    assert_eq!(frames.bytes, b"one two three");
    let cuts = [1, 3, 4, 5, 8, 12, 13].map(|written| frames.cut(written));
    let (one, two, three) = ((4, 11), (8, 12), (13, 13));
    assert_eq!(cuts, [one, one, one, two, two, three, three]);
}

#[test]
fn a_made_up_position_is_a_gap() {
    let mut log = log(LogBounds { messages: 9, age: None, bytes: 1000 });
    push(&mut log, &None, b"one", 0);
    let resume = |epoch, number| log.resume(&None, Position { epoch, number });
    assert_eq!((resume(7, 10), resume(7, 11)), (Ok(10), Ok(11)));
    for (epoch, number) in [(7, 9), (7, 12), (7, u64::MAX), (8, 10), (0, 0)] {
        assert_eq!(resume(epoch, number), Err(LogGap { until: 10 }), "{epoch} {number}");
    }
}

#[test]
fn of_what_is_lost_the_last_messages_are_for_new_readers_alone() {
    let mut log = log(LogBounds { messages: 2, age: None, bytes: 10_000 });
    push(&mut log, &room(1), b"gone", 0);
    let (one, two) = (room(1), room(2));
    let kept = |number, path, frame| Kept {
        number,
        sent: 0,
        entry: LogEntry { path, audience: None, key: None, frame },
    };
    // The last one isn't before it.
    let last = [(20, &one, &b"one"[..]), (25, &two, b"two"), (30, &None, b"all"), (40, &two, b"")];
    let last = last.map(|(number, path, frame)| kept(number, path.as_ref(), frame));
    log.lose_all_but(last, 40);
    assert_eq!(log.position(), Position { epoch: 7, number: 40 });
    push(&mut log, &two, b"next", 0);
    for (path, expected) in [(&one, [20, 30]), (&two, [30, 40]), (&room(3), [30, 30])] {
        let resume = |number| log.resume(path, Position { epoch: 7, number });
        assert_eq!((resume(39), resume(40)), (Err(LogGap { until: 40 }), Ok(40)));
        assert!(log.knows(Position { epoch: 7, number: 11 }));
        let newest = [2, 1].map(|most| log.before(path, 41, most, |_, _| true));
        assert_eq!(newest, expected);
        let snapshot = Some(Snapshot { until: log.dropped_to(path), others_from: newest[0] });
        let mut frames = Frames::default();
        let wanted = Wanted { from: newest[0], until: 41, snapshot };
        assert_eq!(log.read(path, wanted, |_, _| true, as_it_is, &mut frames), Ok(41));
        assert_eq!(frames.ends.first().map(|(_, behind)| behind - 1), Some(newest[0]));
        assert_eq!(read(&log, path, newest[0].min(39)), Err(LogGap { until: 40 }));
    }
    assert_eq!(read(&log, &two, 40), Ok(vec![40]));
    log.lose_to(50);
    assert_eq!(log.kept().count(), 0);
}

/// What is kept beyond the promise goes first, whoever's it is.
#[test]
fn a_busy_path_takes_nothing_that_was_promised_to_another() {
    let two_paths = 2 * (1 + PATH_BYTES);
    let bytes = 40 * (8 + ENTRY_BYTES) + two_paths;
    let mut log = log(LogBounds { messages: 2, age: None, bytes });
    for _ in 0..2 {
        push(&mut log, &room(0), b"12345678", 0);
    }
    for _ in 0..1_000 {
        push(&mut log, &room(1), b"12345678", 0);
    }
    assert_eq!(read(&log, &room(0), 10), Ok(vec![10, 11]));
    assert_eq!(read(&log, &room(1), 1_012 - 38).unwrap().len(), 38);
    let before = |until| log.before(&room(1), until, usize::MAX, |_, _| true);
    assert_eq!((before(1_012), before(1_005)), (1_010, 1_003), "two are promised");
}

/// Also of paths that had messages once, as far as they are known.
#[test]
fn a_quiet_path_has_no_gap_as_others_expire() {
    let mut log = log(LogBounds { messages: 9, age: Some(5), bytes: 1 << 20 });
    push(&mut log, &room(0), b"long ago", 0);
    let here = log.position();
    for path in 5..=250 {
        push(&mut log, &room(path), b"since then", 10);
    }
    log.expire(100);
    assert_eq!(log.kept().count(), 0);
    assert_eq!(log.resume(&room(0), here), Ok(11), "it missed nothing");
    assert_eq!(log.resume(&room(5), here), Err(LogGap { until: 12 }));
    for path in 0..2_000 {
        let path = Some(format!("other {path}").into());
        push(&mut log, &path, b"x", 200);
    }
    log.expire(300);
    assert_eq!((log.paths.len(), log.emptied.len()), (1 + MAX_EMPTIED, MAX_EMPTIED));
    assert!(log.resume(&room(0), here).is_err());
    assert_eq!(log.bytes, log.paths.keys().map(path_bytes).sum::<usize>());
}

#[test]
fn a_log_that_keeps_nothing_has_numbers() {
    let mut log = log(LogBounds::default());
    push(&mut log, &None, b"one", 0);
    assert_eq!(log.position().number, 11);
    assert_eq!(read(&log, &None, 10), Err(LogGap { until: 11 }));
    assert_eq!(read(&log, &None, 11), Ok(vec![]));
    let keeping = LogBounds { messages: 4, age: None, bytes: 1000 };
    log.set_bounds(keeping, 0);
    push(&mut log, &None, b"two", 0);
    assert_eq!(read(&log, &None, 11), Ok(vec![11]));
    log.set_bounds(LogBounds::default(), 0);
    assert_eq!(read(&log, &None, 11), Err(LogGap { until: 12 }));
    assert_eq!((log.len, log.bytes, log.oldest.len()), (0, 0, 0));
}

#[test]
fn what_is_kept_for_a_while_is_kept_no_longer_than_was_declared() {
    let least = LogBounds { messages: 4, age: None, bytes: 1000 };
    let short = LogBounds { messages: 1, age: Some(2), bytes: 100 };
    for (declared, is_aged) in [(LogBounds::default(), false), (short, true)] {
        let mut log = log(declared);
        log.keep_at_least(least, 0);
        push(&mut log, &None, b"one", 0);
        log.expire(1_000);
        assert_eq!(read(&log, &None, 10).is_err(), is_aged);
        push(&mut log, &None, b"two", 1_000);
        log.keep_as_declared(1_000);
        assert_eq!(read(&log, &None, 11).is_ok(), is_aged, "as was declared");
    }
}

#[test]
fn a_position_of_an_earlier_epoch_is_good_up_to_its_end() {
    let mut log = log(LogBounds { messages: 9, age: None, bytes: 1000 });
    push(&mut log, &None, b"one", 0);
    log.begin_epoch(8);
    push(&mut log, &None, b"two", 0);
    let mut log = {
        let mut other = log.successor(log.position(), log.earlier().to_vec());
        other.set_gap(None, 10);
        other
    };
    let resume = |log: &Log<u8>, epoch, number| log.resume(&None, Position { epoch, number }).ok();
    assert_eq!((resume(&log, 7, 10), resume(&log, 7, 11)), (Some(10), Some(11)));
    assert_eq!((resume(&log, 7, 12), resume(&log, 8, 12)), (None, Some(12)));
    for epoch in 9..30 {
        log.begin_epoch(epoch);
    }
    assert_eq!((resume(&log, 8, 12), log.earlier().len()), (None, MAX_EPOCHS));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Push { path: u8, group: Option<u8>, bytes: usize },
    Wait(u32),
    Bounds(LogBounds),
    Skip(u64),
    Lose(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = prop_oneof![30 => 0..40_usize, 1 => 200..70_000_usize];
    let group = prop::option::weighted(0.3, 0..2_u8);
    prop_oneof![
        20 => (0..5_u8, group, bytes).prop_map(|(path, group, bytes)| Step::Push { path, group, bytes }),
        2 => (1..5_u32).prop_map(Step::Wait),
        1 => bounds().prop_map(Step::Bounds),
        1 => (0..9_u64).prop_map(Step::Skip),
        1 => (0..3_u64).prop_map(Step::Lose),
    ]
}

fn bounds() -> impl Strategy<Value = LogBounds> {
    let age = prop::option::of(0..6_u32);
    let bytes = prop_oneof![Just(1_000_usize), Just(3_000), Just(1 << 20)];
    (0..6_usize, age, bytes).prop_map(|(messages, age, bytes)| LogBounds { messages, age, bytes })
}

proptest! {
    /// Compares the log with a list of all messages that there ever were.
    #[test]
    fn nothing_is_missing_without_a_gap(
        bounds in bounds(),
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let mut log = log(bounds);
        let mut now = 0;
        // Number, path, group, time, bytes.
        let mut all: Vec<(u64, u8, Option<u8>, u32, usize)> = Vec::new();
        let mut lost_to = 10;
        let mut is_roomy = true;
        for step in steps {
            match step {
                Step::Push { path, group, bytes } => {
                    let number = log.position().number;
                    let path_text = room(path);
                    let entry = LogEntry {
                        path: path_text.as_ref(),
                        audience: group.map(Arc::new),
                        key: None,
                        frame: &vec![path; bytes],
                    };
                    log.push(entry, now);
                    prop_assert_eq!(log.position().number, number + 1);
                    all.push((number, path, group, now, bytes));
                }
                Step::Wait(seconds) => {
                    now += seconds;
                    log.expire(now);
                }
                Step::Bounds(bounds) => log.set_bounds(bounds, now),
                Step::Skip(by) => log.skip_to(log.position().number + by),
                Step::Lose(by) => {
                    log.lose_to(log.position().number + by);
                    lost_to = log.position().number;
                }
            }
            let LogBounds { messages, age, bytes } = log.bounds;
            is_roomy &= bytes == 1 << 20 && messages > 0;
            let counted = log.kept().map(|Kept { entry, .. }| {
                entry.frame.len() + ENTRY_BYTES + entry.audience.map_or(0, |_| 5)
            });
            let counted: usize = counted.sum();
            let paths = (log.paths.len() - 1) * (1 + PATH_BYTES);
            prop_assert_eq!((log.len, log.bytes), (log.kept().count(), counted + paths));
            prop_assert!(log.bytes <= bytes || log.len <= 1 && log.emptied.is_empty());
            let is_empty = usize::from(log.last(&None).is_none());
            prop_assert_eq!(log.oldest.len() + log.emptied.len() + is_empty, log.paths.len());
            let oldest = log.kept().map(|kept| kept.sent).min().unwrap_or(now);
            prop_assert!(age.is_none_or(|age| now - oldest <= age));
            for path in 0..5 {
                let name = room(path);
                let of_path = all.iter().filter(|it| it.1 == path);
                let kept: Vec<_> = log.kept().filter(|it| it.entry.path == name.as_ref()).collect();
                let newest = of_path.clone().count().saturating_sub(kept.len());
                let newest: Vec<_> = of_path.clone().skip(newest).collect();
                for (kept, it) in kept.iter().zip(&newest) {
                    prop_assert_eq!((kept.number, kept.sent, kept.entry.frame.len()), (it.0, it.3, it.4));
                }
                prop_assert_eq!(kept.len(), newest.len());
                let of_path = all.iter().filter(|it| it.1 == path || it.1 == 4);
                let kept = log.kept().filter(|it| it.entry.path.is_none() || it.entry.path == name.as_ref());
                let kept: Vec<_> = kept.collect();
                let (edge, next) = (log.dropped_to(&name), log.position().number);
                let froms = [0, edge.saturating_sub(1), edge, edge + 1, edge.midpoint(next), next];
                for from in froms.into_iter().filter(|from| *from <= next) {
                    let expected: Vec<_> = of_path.clone().filter(|it| it.0 >= from).collect();
                    match read(&log, &name, from) {
                        Ok(read) => {
                            let meant = expected.iter().filter(|it| it.2.is_none_or(|group| group == 1));
                            prop_assert_eq!(read, meant.map(|it| it.0).collect::<Vec<_>>());
                        }
                        Err(LogGap { until }) => {
                            prop_assert!(from < until && until <= log.position().number);
                            // Something was there once: of this path, or if there is
                            // little room, of one that was forgotten.
                            let was_there = |it: &&(u64, u8, _, _, _)| {
                                (from..until).contains(&it.0) && (it.1 == path || it.1 == 4 || !is_roomy)
                            };
                            prop_assert!(all.iter().any(|it| was_there(&it)) || from < lost_to);
                        }
                    }
                }
                let promised = log.before(&name, u64::MAX, usize::MAX, |_, _| true);
                let count = kept.iter().filter(|kept| kept.number >= promised).count();
                prop_assert_eq!(count, if promised == u64::MAX { 0 } else { kept.len().min(messages) });
            }
        }
    }

    /// With one path, there is no false gap at all.
    #[test]
    fn a_gap_of_a_single_path_is_a_real_one(
        bounds in bounds(),
        sizes in prop::collection::vec((0..50_usize, 0..2_u32), 0..60),
    ) {
        let mut log = log(bounds);
        let mut now = 0;
        for (bytes, seconds) in sizes {
            now += seconds;
            push(&mut log, &None, &vec![0; bytes], now);
            let position = log.position();
            let first = log.kept().map(|kept| kept.number).next().unwrap_or(position.number);
            for number in 10..=position.number {
                let resumed = log.resume(&None, Position { number, ..position });
                prop_assert_eq!(resumed.is_ok(), number >= first);
            }
        }
    }
}
