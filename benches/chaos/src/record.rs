//! What was seen of one seed: by clients, publishers, nodes and in Redis.

use std::collections::{BTreeSet, HashMap};

/// Milliseconds since the seed began.
pub(crate) type At = u64;

/// One process of a node, from its start to its end: `n1.4`.
pub(crate) type Life = String;

#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) clients: Vec<Trace>,
    pub(crate) sends: Vec<Send>,
    pub(crate) handled: Vec<Handled>,
    pub(crate) terms: Vec<Term>,
    /// When a life was ended by us.
    pub(crate) killed: HashMap<Life, At>,
    /// When something was done that may lose what clients got.
    pub(crate) first_loss: Option<At>,
    /// Which slots of the timer have fired, and where.
    pub(crate) fired: Vec<(u64, Life)>,
    /// When faults happened.
    pub(crate) faults: Vec<Struck>,
    /// When it began, in milliseconds since 1970, and from when to when the timer must fire.
    pub(crate) begun_ms: u64,
    pub(crate) fires: (At, At),
    /// What was seen to be wrong at once.
    pub(crate) wrong: Vec<String>,
}

/// What one client got.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) is_plain: bool,
    pub(crate) events: Vec<(At, Event)>,
    /// Its own numbered messages that were sent, and those that were acknowledged.
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    /// Those that went with `again`.
    pub(crate) again: BTreeSet<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It has a connection. A plain client is behind `at`.
    Opened {
        life: Life,
        epoch: String,
        at: u64,
        resumed: Option<bool>,
    },
    /// A message; plain clients have no number.
    Message {
        number: Option<u64>,
        text: String,
    },
    Gap {
        from: u64,
        to: u64,
        why: String,
    },
    /// Its position, and the epoch if that is another one.
    At {
        at: u64,
        epoch: Option<String>,
    },
    /// What else it was told: the hello, what is acknowledged, and who is present.
    Told(String),
    Closed {
        code: u16,
        reason: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Sent,
    /// `SendError::Backplane`.
    NotSent,
    /// `SendError::Unknown`, or the node has ended.
    Unknown,
}

#[derive(Debug)]
pub(crate) struct Send {
    pub(crate) at: At,
    pub(crate) life: Life,
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) outcome: Outcome,
}

#[derive(Debug)]
pub(crate) struct Handled {
    pub(crate) life: Life,
    pub(crate) who: String,
    pub(crate) number: u64,
    pub(crate) is_flagged: bool,
}

/// A fault that has happened, to one node or to Redis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Struck {
    pub(crate) node: Option<usize>,
    pub(crate) from: At,
    pub(crate) to: At,
}

/// A term that has begun, with the last number of each path before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) first: u64,
    pub(crate) epoch: String,
    pub(crate) heads: HashMap<String, u64>,
}

/// Returns the number of the entry with this id, as nodes do.
pub(crate) fn number_of(id: &str) -> u64 {
    let (term, index) = id.split_once('-').unwrap_or((id, "1"));
    let number = |text: &str| text.parse::<u64>().unwrap_or_default();
    number(term).saturating_sub(1_735_689_600_000) * 4096 + number(index)
}
