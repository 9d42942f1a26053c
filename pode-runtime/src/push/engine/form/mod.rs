//! Forms: how messages look to a client.
//!
//! A plain client gets each as it was sent. One that speaks `pode.v1` gets it in an
//! object that says its position, and is told of all that has to do with positions; by an
//! event stream, as events.

mod event_stream;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use pode_core::ClientId;
use pode_core::frame::{Header, MAX_HEADER_BYTES, Opcode};
use pode_core::hub::{Position, Present, SharedLog};
use serde_json::{Value, json};

pub(super) use self::event_stream::beacon as beacon_event;
use super::envelope::{Answer, Envelope, Why};

/// How messages look to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    V1,
    /// As [`V1`](Self::V1), by an event stream.
    Events,
}

/// What a client speaks. Small, as each client has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Plain,
    V1,
    /// As `V1`, and the program has set its id; its tickets say so.
    V1Set,
    /// It hears an event stream.
    Events,
    EventsSet,
}

impl Speaks {
    pub(crate) fn new(form: Form, is_set: bool) -> Speaks {
        match (form, is_set) {
            (Form::Plain, _) => Speaks::Plain,
            (Form::V1, false) => Speaks::V1,
            (Form::V1, true) => Speaks::V1Set,
            (Form::Events, false) => Speaks::Events,
            (Form::Events, true) => Speaks::EventsSet,
        }
    }

    pub(crate) fn form(self) -> Form {
        match self {
            Speaks::Plain => Form::Plain,
            Speaks::V1 | Speaks::V1Set => Form::V1,
            Speaks::Events | Speaks::EventsSet => Form::Events,
        }
    }

    /// Whether the program has set the id of a client that is told so.
    pub(super) fn is_set(self) -> bool {
        matches!(self, Speaks::V1Set | Speaks::EventsSet)
    }
}

/// The highest number that all readers of JSON know exactly.
const MAX_NUMBER: u64 = (1 << 53) - 1;

/// The subprotocol of [`Form::V1`].
pub(crate) const V1_PROTOCOL: &str = "pode.v1";

impl Form {
    /// Whether a client is told of positions.
    pub(super) fn is_told(self) -> bool {
        self != Form::Plain
    }

    /// Returns the frame of a message without a place in the channel: a greeting.
    pub(super) fn greeting(self, frame: &Bytes) -> Bytes {
        match self {
            Form::Plain => frame.clone(),
            Form::V1 | Form::Events => self.framed(Sent::of(frame), None),
        }
    }

    /// Returns a frame that isn't a message of the channel, as a client of this form gets it.
    pub(super) fn told(self, frame: Bytes) -> Bytes {
        match self {
            Form::Plain | Form::V1 => frame,
            Form::Events => event_stream::told(&frame),
        }
    }

    fn framed(self, message: Sent<'_>, epoch: Option<u64>) -> Bytes {
        let mut bytes = Vec::new();
        self.write(message, epoch, &mut bytes);
        bytes.into()
    }

    /// Appends the frame of a message, whose position is of this epoch.
    pub(super) fn write(self, message: Sent<'_>, epoch: Option<u64>, bytes: &mut Vec<u8>) {
        let Sent { next, handled, key, frame, .. } = message;
        match self {
            Form::Plain => return bytes.extend_from_slice(frame),
            Form::Events => return event_stream::write_message(message, epoch, bytes),
            Form::V1 => {}
        }
        let mut at = next.map(|next| format!(r#""at":{next},"#)).unwrap_or_default();
        if let Some(key) = key {
            at += &format!(r#""key":{},"#, Value::from(key));
        }
        let Some(payload) = message.payload() else {
            return write_text(&[b"{", at.trim_end_matches(',').as_bytes(), b"}"], bytes);
        };
        let mut re =
            message.replies_to().map(|number| format!(r#""re":{number},"#)).unwrap_or_default();
        if let Some(handled) = handled {
            re += &format!(r#""ack":{handled},"#);
        }
        match payload.strip_prefix(b"{").filter(|_| message.is_error()) {
            Some(error) => write_text(&[b"{", at.as_bytes(), re.as_bytes(), error], bytes),
            None => write_text(
                &[b"{", at.as_bytes(), re.as_bytes(), br#""data":"#, payload, b"}"],
                bytes,
            ),
        }
    }
}

/// A message in its channel.
#[derive(Clone, Copy)]
pub(super) struct Sent<'a> {
    /// The number of the next one, if messages have numbers.
    pub(super) next: Option<u64>,
    pub(super) answer: Option<Answer>,
    /// What names the sequence of the client that is answered.
    pub(super) sequence: Option<[u8; 16]>,
    /// Up to which number messages of its client are handled, if that is told with it.
    pub(super) handled: Option<u64>,
    /// What it is the newest of.
    pub(super) key: Option<&'a str>,
    /// Its plain frame; empty if its key is removed, of which plain clients aren't told.
    pub(super) frame: &'a [u8],
}

impl<'a> Sent<'a> {
    /// A message without a place in the channel.
    pub(super) fn of(frame: &'a [u8]) -> Sent<'a> {
        Sent { next: None, answer: None, sequence: None, handled: None, key: None, frame }
    }

    /// Returns its payload; none if its key is removed.
    pub(super) fn payload(&self) -> Option<&'a [u8]> {
        let frame = Some(self.frame).filter(|frame| !frame.is_empty())?;
        Some(&frame[Header::bytes_of(frame)..])
    }

    /// Whether it says that a message of its client failed.
    pub(super) fn is_error(&self) -> bool {
        matches!(self.answer, Some(Answer::Error(_)))
    }

    /// Returns the number of the message of its client that it answers.
    pub(super) fn replies_to(&self) -> Option<u64> {
        let re = match self.answer? {
            Answer::Reply(re) => Some(re),
            Answer::Error(re) => re,
        };
        // Another client with its id has numbers of its own.
        re.filter(|re| Some(re.sequence) == self.sequence).map(|re| re.number)
    }
}

/// A frame that isn't a message of the channel, for many clients: made once in each form.
#[derive(Debug)]
pub(super) struct Told {
    frame: Bytes,
    event: OnceLock<Bytes>,
}

impl Told {
    pub(super) fn new(frame: Bytes) -> Told {
        Told { frame, event: OnceLock::new() }
    }

    pub(super) fn in_form(&self, form: Form) -> &Bytes {
        match form {
            Form::Plain | Form::V1 => &self.frame,
            Form::Events => self.event.get_or_init(|| form.told(self.frame.clone())),
        }
    }
}

/// Messages that are due at once, all for the same clients, in each form that one of
/// these wants.
#[derive(Debug)]
pub(super) struct Batch {
    plain: Joined,
    v1: OnceLock<Joined>,
    events: OnceLock<Joined>,
    /// The number of the first, if messages have numbers.
    pub(super) first: Option<u64>,
    /// Knows the epoch of their positions.
    log: Option<Arc<SharedLog<Envelope>>>,
    /// Those of all, or none.
    answers: Vec<Answer>,
    /// What names the sequence of the client that is answered.
    sequence: Option<[u8; 16]>,
    /// Up to which number messages of their client are handled, if it is told with the
    /// last one.
    pub(super) handled: Option<u64>,
    /// Those of all, or none.
    keys: Vec<Arc<str>>,
}

/// Frames, and all of them joined once for all clients, for a single write.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) frames: Vec<Bytes>,
    pub(super) joined: Bytes,
}

impl Joined {
    /// Joins frames; a single one is shared as it is.
    fn new(frames: Vec<Bytes>) -> Joined {
        let joined = match &frames[..] {
            [single] => single.clone(),
            frames => frames.concat().into(),
        };
        Joined { frames, joined }
    }
}

impl Batch {
    pub(super) fn new(frames: Vec<Bytes>, first: Option<u64>) -> Batch {
        let (answers, keys) = (Vec::new(), Vec::new());
        let (plain, v1, events) = (Joined::new(frames), OnceLock::new(), OnceLock::new());
        let (sequence, handled, log) = (None, None, None);
        Batch { plain, v1, events, first, log, answers, sequence, handled, keys }
    }

    /// Says in which log they are.
    pub(super) fn in_log(self, log: Option<&Arc<SharedLog<Envelope>>>) -> Batch {
        Batch { log: log.cloned(), ..self }
    }

    /// Says which messages of which sequence they answer, and up to which number these
    /// are handled.
    pub(super) fn with_answers(
        self,
        answers: Vec<Answer>,
        sequence: Option<[u8; 16]>,
        handled: Option<u64>,
    ) -> Batch {
        Batch { answers, sequence, handled, ..self }
    }

    /// Gives each message its key.
    pub(super) fn with_keys(self, keys: Vec<Arc<str>>) -> Batch {
        Batch { keys, ..self }
    }

    pub(super) fn in_form(&self, form: Form) -> &Joined {
        match form {
            Form::Plain => &self.plain,
            Form::V1 => self.v1.get_or_init(|| self.made(form)),
            Form::Events => self.events.get_or_init(|| self.made(form)),
        }
    }

    fn made(&self, form: Form) -> Joined {
        // Numbers are good in each epoch that the log knows, so it may be ahead.
        let epoch = self.log.as_ref().map(|log| log.with(|log| log.position().epoch));
        let frame = |(index, frame): (usize, &Bytes)| {
            let next = self.first.map(|first| first + index as u64 + 1);
            let answer = self.answers.get(index).copied();
            let key = self.keys.get(index).map(|key| &**key);
            let is_last = index + 1 == self.plain.frames.len();
            let handled = self.handled.filter(|_| is_last);
            let sent = Sent { next, answer, sequence: self.sequence, handled, key, frame };
            form.framed(sent, epoch)
        };
        Joined::new(self.plain.frames.iter().enumerate().map(frame).collect())
    }
}

/// Returns what a client of [`Form::V1`] gets first: `members` are those of its
/// connection, as JSON without braces.
pub(super) fn hello(at: Option<Position>, resumed: Option<bool>, members: &str) -> Bytes {
    let at =
        at.map(|Position { epoch, number }| format!(r#","epoch":"{epoch:016x}","at":{number}"#));
    let resumed = resumed.map(|resumed| format!(r#","resumed":{resumed}"#));
    let (at, resumed) = (at.unwrap_or_default(), resumed.unwrap_or_default());
    text(&[br#"{"hello":1"#, at.as_bytes(), resumed.as_bytes(), b",", members.as_bytes(), b"}"])
}

/// Returns the end of what was missed or is replayed.
pub(super) fn live(number: u64) -> Bytes {
    text(&[format!(r#"{{"live":{number}}}"#).as_bytes()])
}

/// Returns what tells that messages from one position to another may be missing;
/// none where messages have no numbers.
pub(super) fn gap(missing: Option<(u64, u64)>, why: Why) -> Bytes {
    // A made-up position may be no number of JavaScript.
    let gap = missing.map(|(from, to)| [from.min(MAX_NUMBER), to]);
    let told = match why {
        Why::Age => json!({ "gap": gap, "why": "age" }),
        Why::Lag => json!({ "gap": gap, "why": "lag" }),
        #[cfg(feature = "redis")]
        Why::Carrier => json!({ "gap": gap, "why": "carrier" }),
        Why::Epoch(epoch) => {
            json!({ "gap": gap, "why": "epoch", "epoch": format!("{epoch:016x}") })
        }
    };
    text(&[told.to_string().as_bytes()])
}

/// Returns what tells that positions are of this epoch from here on.
#[cfg(feature = "redis")]
pub(super) fn epoch(epoch: u64, number: u64) -> Bytes {
    text(&[format!(r#"{{"at":{number},"epoch":"{epoch:016x}"}}"#).as_bytes()])
}

/// Returns what tells to forget all keys: those that there are come next, behind this
/// position.
pub(super) fn reset(number: u64) -> Bytes {
    text(&[format!(r#"{{"reset":{number}}}"#).as_bytes()])
}

/// Returns the sign of life of a path at this position, if its messages have numbers.
pub(super) fn beacon(number: Option<u64>) -> Bytes {
    match number {
        Some(number) => text(&[format!(r#"{{"at":{number}}}"#).as_bytes()]),
        None => text(&[b"{}"]),
    }
}

/// Returns what tells that all messages of a client up to this number are handled.
pub(super) fn acknowledgement(number: u64) -> Bytes {
    text(&[format!(r#"{{"ack":{number}}}"#).as_bytes()])
}

/// Returns what brings a new ticket.
pub(super) fn ticket(ticket: &str) -> Bytes {
    text(&[br#"{"ticket":""#, ticket.as_bytes(), br#""}"#])
}

/// Returns what tells who is present.
pub(super) fn here<'a>(present: impl Iterator<Item = (&'a ClientId, &'a Present)>) -> Bytes {
    let mut members = String::new();
    for (id, Present { info, .. }) in present {
        let comma = if members.is_empty() { "" } else { "," };
        members += &format!("{comma}{}:{info}", name(id));
    }
    text(&[br#"{"here":{"#, members.as_bytes(), b"}}"])
}

/// Returns what tells how many are present, where these are too many to be told.
pub(super) fn count(count: usize) -> Bytes {
    text(&[format!(r#"{{"here":null,"count":{count}}}"#).as_bytes()])
}

/// Returns what tells that a client is present, or says something else of itself.
pub(super) fn join(id: &ClientId, info: &str, number: u64) -> Bytes {
    text(&[format!(r#"{{"at":{number},"join":{},"info":{info}}}"#, name(id)).as_bytes()])
}

/// Returns what tells that a client is no longer present.
pub(super) fn leave(id: &ClientId, number: u64) -> Bytes {
    text(&[format!(r#"{{"at":{number},"leave":{}}}"#, name(id)).as_bytes()])
}

/// Returns an id as text of JSON.
fn name(id: &ClientId) -> Value {
    id.to_string().into()
}

fn text(parts: &[&[u8]]) -> Bytes {
    let mut bytes = Vec::new();
    write_text(parts, &mut bytes);
    bytes.into()
}

/// Appends a text frame.
fn write_text(parts: &[&[u8]], bytes: &mut Vec<u8>) {
    let payload_bytes = parts.iter().map(|part| part.len()).sum();
    bytes.reserve(MAX_HEADER_BYTES + payload_bytes);
    let header = Header::new(Opcode::Text, payload_bytes);
    for part in [header.as_bytes()].iter().chain(parts) {
        bytes.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use pode_core::Message;

    use super::*;
    use crate::push::session::Number;

    /// Returns the text in a frame, after checking that it is one.
    fn text_of(frame: &[u8]) -> &[u8] {
        let header = Header::bytes_of(frame);
        let payload = &frame[header..];
        assert_eq!(Header::new(Opcode::Text, payload.len()).as_bytes(), &frame[..header]);
        payload
    }

    #[test]
    fn a_message_is_in_its_object_byte_for_byte() {
        for length in [1, 100, 126, 65_520, 65_536, 100_000] {
            let json = format!("\"{}\"", "x".repeat(length));
            let frames =
                vec![Message::text(&json).frame().clone(), Message::text("7 ").frame().clone()];
            let batch = Batch::new(frames, Some(40));
            let v1 = batch.in_form(Form::V1);
            let expected =
                [format!(r#"{{"at":41,"data":{json}}}"#), r#"{"at":42,"data":7 }"#.to_owned()];
            for (frame, expected) in v1.frames.iter().zip(&expected) {
                assert_eq!(text_of(frame), expected.as_bytes());
            }
            assert_eq!(v1.joined, v1.frames.concat());
            assert_eq!(batch.in_form(Form::Plain).frames[1][..], b"\x81\x027 "[..]);
        }
    }

    #[test]
    fn an_answer_says_to_which_message() {
        let (error, data) = (r#"{"error":"no"}"#, "{}");
        let re = |number, sequence| Number { number, sequence: [sequence; 16] };
        for (answer, json, expected) in [
            (Answer::Error(None), error, r#"{"at":8,"error":"no"}"#),
            (Answer::Error(Some(re(3, 1))), error, r#"{"at":8,"re":3,"error":"no"}"#),
            (Answer::Error(Some(re(3, 2))), error, r#"{"at":8,"error":"no"}"#),
            (Answer::Reply(re(3, 1)), data, r#"{"at":8,"re":3,"data":{}}"#),
            // To another one with its id.
            (Answer::Reply(re(3, 2)), data, r#"{"at":8,"data":{}}"#),
        ] {
            let frame = Message::text(json).frame().clone();
            let batch = Batch::new(vec![frame.clone()], Some(7)).with_answers(
                vec![answer],
                Some([1; 16]),
                None,
            );
            assert_eq!(text_of(&batch.in_form(Form::V1).joined), expected.as_bytes());
            assert_eq!(batch.in_form(Form::Plain).joined, frame);
        }
        // Only the last one says that both are handled.
        let frames = vec![Message::text("1").frame().clone(), Message::text("2").frame().clone()];
        let answers = vec![Answer::Reply(re(3, 1)), Answer::Reply(re(4, 1))];
        let batch = Batch::new(frames, None).with_answers(answers, Some([1; 16]), Some(4));
        let expected = [r#"{"re":3,"data":1}"#, r#"{"re":4,"ack":4,"data":2}"#];
        for (frame, expected) in batch.in_form(Form::V1).frames.iter().zip(expected) {
            assert_eq!(text_of(frame), expected.as_bytes());
        }
    }

    #[test]
    fn a_key_is_text_of_json() {
        let frames = vec![Message::text("7").frame().clone(), Message::removal().frame().clone()];
        let keys: Vec<Arc<str>> = vec!["a\"\n\u{1f}é".into(), "b".into()];
        for (first, expected) in [
            (Some(40), [r#"{"at":41,"key":"a\"\n\u001fé","data":7}"#, r#"{"at":42,"key":"b"}"#]),
            (None, [r#"{"key":"a\"\n\u001fé","data":7}"#, r#"{"key":"b"}"#]),
        ] {
            let batch = Batch::new(frames.clone(), first).with_keys(keys.clone());
            for (frame, expected) in batch.in_form(Form::V1).frames.iter().zip(expected) {
                assert_eq!(text_of(frame), expected.as_bytes());
            }
            assert_eq!(batch.in_form(Form::Plain).joined[..], b"\x81\x017"[..]);
        }
    }

    #[test]
    fn what_is_told_of_positions_is_json() {
        let at = Some(Position { epoch: 255, number: 12 });
        let (ada, bob) = ("a\"da".parse().unwrap(), "bob".parse().unwrap());
        let present = Present { info: r#"{"name":"Ada"}"#.into(), stays: Vec::new() };
        for (frame, expected) in [
            (
                hello(at, Some(false), r#""id":"ada""#),
                r#"{"hello":1,"epoch":"00000000000000ff","at":12,"resumed":false,"id":"ada"}"#,
            ),
            (hello(None, None, r#""id":"ada""#), r#"{"hello":1,"id":"ada"}"#),
            (live(7), r#"{"live":7}"#),
            (gap(Some((1, 7)), Why::Age), r#"{"gap":[1,7],"why":"age"}"#),
            (gap(None, Why::Lag), r#"{"gap":null,"why":"lag"}"#),
            (
                gap(Some((u64::MAX, 7)), Why::Epoch(255)),
                r#"{"gap":[9007199254740991,7],"why":"epoch","epoch":"00000000000000ff"}"#,
            ),
            (
                gap(Some((9, 0)), Why::Epoch(16)),
                r#"{"gap":[9,0],"why":"epoch","epoch":"0000000000000010"}"#,
            ),
            #[cfg(feature = "redis")]
            (gap(Some((1, 7)), Why::Carrier), r#"{"gap":[1,7],"why":"carrier"}"#),
            #[cfg(feature = "redis")]
            (epoch(255, 7), r#"{"at":7,"epoch":"00000000000000ff"}"#),
            (reset(7), r#"{"reset":7}"#),
            (here([(&ada, &present)].into_iter()), r#"{"here":{"a\"da":{"name":"Ada"}}}"#),
            (
                here([(&ada, &present), (&bob, &present)].into_iter()),
                r#"{"here":{"a\"da":{"name":"Ada"},"bob":{"name":"Ada"}}}"#,
            ),
            (here([].into_iter()), r#"{"here":{}}"#),
            (count(250), r#"{"here":null,"count":250}"#),
            (join(&ada, "7", 3), r#"{"join":"a\"da","info":7,"at":3}"#),
            (leave(&ada, 4), r#"{"leave":"a\"da","at":4}"#),
            (beacon(Some(7)), r#"{"at":7}"#),
            (beacon(None), "{}"),
            (acknowledgement(18), r#"{"ack":18}"#),
            (ticket("AQ-_"), r#"{"ticket":"AQ-_"}"#),
        ] {
            let told: Value = serde_json::from_slice(text_of(&frame)).unwrap();
            assert_eq!(told, serde_json::from_str::<Value>(expected).unwrap());
        }
    }
}
