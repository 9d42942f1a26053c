//! The files of `tests/corpus/handshakes/`, whose README says how to write one.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;

use super::wire::{Verdict, check, check_each_cut};

/// The bytes that a client sends, and the expected outcome.
#[derive(Clone, Debug)]
struct Entry {
    /// The path of the file.
    name: String,
    stream: Vec<u8>,
    expected: Vec<String>,
}

/// Reads all files, by name.
fn entries() -> Vec<Entry> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/handshakes");
    let mut entries: Vec<_> = fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|file| file.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| {
            let text = fs::read_to_string(&path).expect("the files are texts");
            Entry::parse(path.display().to_string(), &text)
        })
        .collect();
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(!entries.is_empty());
    entries
}

impl Entry {
    fn parse(name: String, text: &str) -> Entry {
        let mut entry = Entry { name, stream: Vec::new(), expected: Vec::new() };
        for line in text.lines() {
            if let Some(expected) = line.strip_prefix("= ") {
                entry.expected.push(expected.to_owned());
            } else if !line.starts_with('#') {
                let bytes = bytes_of(line);
                let bytes = bytes.unwrap_or_else(|| panic!("{}: what is `{line}`?", entry.name));
                entry.stream.extend(bytes);
            }
        }
        entry
    }
}

/// Reads a line into the bytes to be sent.
fn bytes_of(line: &str) -> Option<Vec<u8>> {
    match line.strip_suffix('\\') {
        Some(line) => unescape(line),
        None => Some([&unescape(line)?[..], b"\r\n"].concat()),
    }
}

/// Reads `\r`, `\x7f`, `{text*100}` and literal characters.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let Some(at) = text.find(['\\', '{']) else { return Some(text.into()) };
    let (before, special) = text.split_at(at);
    let (bytes, rest) = if let Some(special) = special.strip_prefix('{') {
        let (repeated, rest) = special.split_once('}')?;
        let (repeated, times) = repeated.rsplit_once('*')?;
        (unescape(repeated)?.repeat(times.parse().ok()?), rest)
    } else if let Some(special) = special.strip_prefix("\\x") {
        let (byte, rest) = special.split_at_checked(2)?;
        (vec![u8::from_str_radix(byte, 16).ok()?], rest)
    } else {
        let byte = match special.as_bytes().get(1)? {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            _ => return None,
        };
        (vec![byte], &special[2..])
    };
    Some([before.as_bytes(), &bytes, &unescape(rest)?].concat())
}

/// Writes a verdict in the form of the files.
fn lines(verdict: &Verdict) -> Vec<String> {
    match verdict {
        Verdict::Opened { said, .. } if said.is_empty() => vec!["101".to_owned()],
        Verdict::Opened { said, .. } => {
            vec!["101".to_owned(), format!("then {}", said.escape_ascii())]
        }
        Verdict::Refused { status, sentence } => {
            vec![format!("{status} {sentence}").trim_end().to_owned()]
        }
        Verdict::NoHttp { status } => vec![format!("{status} by HTTP")],
        Verdict::Ends => vec!["ends".to_owned()],
        Verdict::Waits => vec!["waits".to_owned()],
    }
}

#[test]
fn each_file_is_answered_as_it_says() {
    for entry in entries() {
        // Shown with the panic of a check.
        println!("{}", entry.name);
        assert_eq!(lines(&check(&entry.stream)), entry.expected, "{}", entry.name);
    }
}

#[test]
fn each_file_may_be_cut_anywhere() {
    for entry in short_entries() {
        println!("{}", entry.name);
        check_each_cut(&entry.stream);
    }
}

/// The short ones, in which a change is likely to hit something important.
fn short_entries() -> Vec<Entry> {
    let mut entries = entries();
    entries.retain(|entry| entry.stream.len() < 1000);
    entries
}

/// A change to a stream.
#[derive(Clone, Debug)]
enum Change {
    Flip {
        at: Index,
        bits: u8,
    },
    Insert {
        at: Index,
        byte: u8,
    },
    Remove {
        at: Index,
    },
    Truncate {
        at: Index,
    },
    /// Continues, from `at`, with another stream from `from`.
    Splice {
        at: Index,
        with: Index,
        from: Index,
    },
    /// Inserts a line of another stream.
    InsertLine {
        at: Index,
        with: Index,
        from: Index,
    },
    RemoveLine {
        at: Index,
    },
    RepeatLine {
        at: Index,
    },
    SwapLines {
        one: Index,
        other: Index,
    },
}

impl Change {
    fn apply(&self, stream: &mut Vec<u8>, entries: &[Entry]) {
        let place = |at: &Index| at.index(stream.len() + 1);
        match self {
            Change::Flip { at, bits } => {
                let at = place(at);
                if let Some(byte) = stream.get_mut(at) {
                    *byte ^= bits;
                }
            }
            Change::Insert { at, byte } => stream.insert(place(at), *byte),
            Change::Remove { at } => {
                let at = place(at);
                stream.drain(at..stream.len().min(at + 1));
            }
            Change::Truncate { at } => stream.truncate(place(at)),
            Change::Splice { at, with, from } => {
                let other = &with.get(entries).stream;
                stream.truncate(place(at));
                stream.extend(&other[from.index(other.len() + 1)..]);
            }
            by_line => {
                let mut lines: Vec<_> =
                    stream.split_inclusive(|byte| *byte == b'\n').map(Vec::from).collect();
                by_line.apply_to_lines(&mut lines, entries);
                *stream = lines.concat();
            }
        }
    }

    fn apply_to_lines(&self, lines: &mut Vec<Vec<u8>>, entries: &[Entry]) {
        if lines.is_empty() {
            return;
        }
        match self {
            Change::InsertLine { at, with, from } => {
                let other = with.get(entries).stream.split_inclusive(|byte| *byte == b'\n');
                let other: Vec<_> = other.collect();
                lines.insert(at.index(lines.len()), from.get(&other).to_vec());
            }
            Change::RemoveLine { at } => {
                lines.remove(at.index(lines.len()));
            }
            Change::RepeatLine { at } => {
                let at = at.index(lines.len());
                lines.insert(at, lines[at].clone());
            }
            Change::SwapLines { one, other } => {
                let (one, other) = (one.index(lines.len()), other.index(lines.len()));
                lines.swap(one, other);
            }
            _ => {}
        }
    }
}

fn changes() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), 0..8).prop_map(|(at, bit)| Change::Flip { at, bits: 1_u8 << bit }),
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Insert { at, byte }),
        1 => at().prop_map(|at| Change::Remove { at }),
        1 => at().prop_map(|at| Change::Truncate { at }),
        1 => (at(), at(), at()).prop_map(|(at, with, from)| Change::Splice { at, with, from }),
        2 => (at(), at(), at()).prop_map(|(at, with, from)| Change::InsertLine { at, with, from }),
        1 => at().prop_map(|at| Change::RemoveLine { at }),
        1 => at().prop_map(|at| Change::RepeatLine { at }),
        2 => (at(), at()).prop_map(|(one, other)| Change::SwapLines { one, other }),
    ]
}

/// The streams of the files with a few changes.
fn changed_streams() -> impl Strategy<Value = Vec<u8>> {
    let entries = short_entries();
    (any::<Index>(), prop::collection::vec(changes(), 1..5)).prop_map(move |(entry, changes)| {
        let mut stream = entry.get(&entries).stream.clone();
        for change in &changes {
            change.apply(&mut stream, &entries);
        }
        stream
    })
}

proptest! {
    #[test]
    fn changed_files_are_judged_by_the_standard(stream in changed_streams()) {
        check(&stream);
    }

    #[test]
    fn any_bytes_are_judged_by_the_standard(stream in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&stream);
    }
}
