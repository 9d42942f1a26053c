//! The files of `tests/corpus/frames/`, whose README says how to write one.

use std::fs;
use std::path::Path;

use pode_core::frame::AcceptPolicy;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::stream::{Conversation, End, Heard, check, decode_whole};

/// The longest accepted message, where a file doesn't say.
const MAX_BYTES: usize = 100_000;

/// A stream, and the expected result of decoding it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The path of the file.
    pub(crate) name: String,
    pub(crate) stream: Vec<u8>,
    pub(crate) incoming: AcceptPolicy,
    expected: Vec<String>,
    /// Why another library may come to another verdict.
    pub(crate) differs: Option<String>,
}

/// Reads all files, sorted by name.
pub(crate) fn entries() -> Vec<Entry> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/frames");
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
        let incoming = AcceptPolicy::messages(MAX_BYTES);
        let mut entry =
            Entry { name, stream: Vec::new(), incoming, expected: Vec::new(), differs: None };
        for line in text.lines() {
            if entry.add(line).is_none() {
                panic!("{}: what is `{line}`?", entry.name);
            }
        }
        entry
    }

    fn add(&mut self, line: &str) -> Option<()> {
        if let Some(expected) = line.strip_prefix("= ") {
            self.expected.push(expected.to_owned());
        } else if let Some(reason) = line.strip_prefix("differs: ") {
            self.differs = Some(reason.to_owned());
        } else if let Some(taken) = line.strip_prefix("takes: ") {
            self.incoming = match taken {
                "nothing" => AcceptPolicy::Nothing,
                bytes => AcceptPolicy::messages(bytes.parse().ok()?),
            };
        } else {
            for word in line.split('#').next()?.split_whitespace() {
                self.stream.extend(bytes_of(word)?);
            }
        }
        Some(())
    }
}

/// Reads `0a`, `"text"` or `0a*125`.
fn bytes_of(word: &str) -> Option<Vec<u8>> {
    if let Some(text) = word.strip_prefix('"') {
        return Some(text.strip_suffix('"')?.into());
    }
    let (byte, times) = word.split_once('*').unwrap_or((word, "1"));
    let byte = u8::from_str_radix(byte, 16).ok().filter(|_| byte.len() == 2)?;
    Some(vec![byte; times.parse().ok()?])
}

/// Writes a conversation as the files do.
fn lines(conversation: &Conversation) -> Vec<String> {
    let payload = |payload: &[u8]| match payload.len() {
        0..=80 => format!("\"{}\"", payload.escape_ascii()),
        length => format!("{length} bytes"),
    };
    let mut lines: Vec<_> = conversation
        .heard
        .iter()
        .map(|heard| match heard {
            Heard::Text(text) if text.len() <= 80 => format!("text {text:?}"),
            Heard::Text(text) => format!("text {} bytes", text.len()),
            Heard::Binary(bytes) => format!("binary {}", payload(bytes)),
            Heard::Ping(bytes) => format!("ping {}", payload(bytes)),
            Heard::Pong(bytes) => format!("pong {}", payload(bytes)),
        })
        .collect();
    let (end, close) = match &conversation.end {
        End::Open => return lines,
        End::Closed(answer) => ("closed", answer),
        End::Refused(fault) => ("refused", fault),
    };
    let code = close.code().map_or("without a code".to_owned(), |code| code.to_string());
    lines.push(format!("{end}: {code} {}", close.reason()).trim_end().to_owned());
    lines
}

#[test]
fn each_file_is_decoded_as_it_says() {
    for entry in entries() {
        let conversation = decode_whole(&entry.stream, entry.incoming);
        assert_eq!(lines(&conversation), entry.expected, "{}", entry.name);
    }
}

#[test]
fn each_file_may_be_cut_anywhere() {
    for entry in entries() {
        check(&entry.stream);
    }
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
    /// Replaces everything from `at` on by another stream from `from` on.
    Splice {
        at: Index,
        with: Index,
        from: Index,
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
        2 => (at(), at(), at()).prop_map(|(at, with, from)| Change::Splice { at, with, from }),
    ]
}

/// The streams of the short files, with a few changes. In a short file, a change
/// is likely to hit a header.
pub(crate) fn changed_streams() -> impl Strategy<Value = Vec<u8>> {
    let mut entries = entries();
    entries.retain(|entry| entry.stream.len() < 300);
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
    fn changed_files_may_be_cut_anywhere(stream in changed_streams()) {
        check(&stream);
    }
}
