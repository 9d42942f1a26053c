//! Event streams: what a client of `pode.v1` gets, as `text/event-stream` (HTML Standard,
//! section 9.2).
//!
//! A message is an event without a name: its data is the payload, its id the position
//! behind it. All else is an event with a name, whose data is the object of `pode.v1`. What
//! only our own client needs of a message stands in fields that browsers pass over.

use bytes::Bytes;
use pode_core::frame::{Header, Opcode};
use pode_core::hub::Position;
use serde_json::{Map, Value, json};

use super::{Form, Sent};

/// The members by which objects of `pode.v1` are told apart, and what they are called as
/// events. `error` would be the event of a connection that ends.
const NAMES: &[(&str, &str)] = &[
    ("hello", "hello"),
    ("gap", "gap"),
    ("live", "live"),
    ("reset", "reset"),
    ("here", "here"),
    ("join", "join"),
    ("leave", "leave"),
    ("error", "failed"),
    ("ack", "ack"),
    ("ticket", "ticket"),
    ("epoch", "epoch"),
];

/// Appends the event of a message of this epoch.
pub(super) fn write_message(message: Sent<'_>, epoch: Option<u64>, bytes: &mut Vec<u8>) {
    let position = epoch.zip(message.next).map(|(epoch, number)| Position { epoch, number });
    if message.is_error() {
        let mut frame = Vec::new();
        Form::V1.write(message, None, &mut frame);
        return write_told(&frame, position, bytes);
    }
    if let Some(position) = position {
        bytes.extend_from_slice(format!("id: {position}\n").as_bytes());
    }
    if let Some(key) = message.key {
        bytes.extend_from_slice(format!("key: {}\n", Value::from(key)).as_bytes());
    }
    if let Some(number) = message.replies_to() {
        bytes.extend_from_slice(format!("re: {number}\n").as_bytes());
    }
    if let Some(number) = message.handled {
        bytes.extend_from_slice(format!("ack: {number}\n").as_bytes());
    }
    if let Some(payload) = message.payload() {
        write_data(payload, bytes);
    }
    bytes.push(b'\n');
}

/// Returns what a frame that isn't a message of the channel is as an event.
pub(super) fn told(frame: &[u8]) -> Bytes {
    let mut bytes = Vec::new();
    write_told(frame, None, &mut bytes);
    bytes.into()
}

/// Returns the sign of life of a path at this position.
pub(in super::super) fn beacon(position: Option<Position>) -> Bytes {
    match position {
        // Of no data there is no event, but browsers know the id.
        Some(position) => format!("id: {position}\n\n").into(),
        None => Bytes::from_static(b":\n\n"),
    }
}

fn write_told(frame: &[u8], position: Option<Position>, bytes: &mut Vec<u8>) {
    let payload = &frame[Header::bytes_of(frame)..];
    if frame[0] & 0x0f == Opcode::Close as u8 {
        let (code, reason) = payload.split_at(payload.len().min(2));
        let code = <[u8; 2]>::try_from(code).map_or(1000, u16::from_be_bytes);
        let told = json!({ "code": code, "reason": String::from_utf8_lossy(reason) });
        return write_named("close", told.to_string().as_bytes(), bytes);
    }
    let members: Map<String, Value> = serde_json::from_slice(payload).unwrap_or_default();
    let Some((_, name)) = NAMES.iter().find(|(member, _)| members.contains_key(*member)) else {
        return bytes.extend_from_slice(&beacon(position));
    };
    // Where an object says of which epoch its number is.
    let number = members.get("at").or_else(|| members.get("gap")?.get(1)).and_then(Value::as_u64);
    let epoch = members.get("epoch").and_then(Value::as_str);
    match (position, epoch.zip(number)) {
        (Some(position), _) => bytes.extend_from_slice(format!("id: {position}\n").as_bytes()),
        (None, Some((epoch, number))) => {
            bytes.extend_from_slice(format!("id: {epoch}-{number}\n").as_bytes());
        }
        (None, None) => {}
    }
    write_named(name, payload, bytes);
}

fn write_named(name: &str, data: &[u8], bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(format!("event: {name}\n").as_bytes());
    write_data(data, bytes);
    bytes.push(b'\n');
}

/// Appends data, line by line: JSON may have line breaks between its parts.
fn write_data(data: &[u8], bytes: &mut Vec<u8>) {
    for line in data.split(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.extend_from_slice(b"data: ");
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use pode_core::Message;
    use pode_core::frame::Close;

    use super::super as form;
    use super::super::super::envelope::{Answer, Why};
    use super::*;
    use crate::push::session::Number;

    const EPOCH: Option<u64> = Some(0xff);

    fn event(message: Sent<'_>) -> String {
        let mut bytes = Vec::new();
        write_message(message, EPOCH, &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_message_is_an_event_with_its_payload() {
        let frame = Message::text(r#"{"a":1}"#).frame().clone();
        let lines = Message::text("{\r\n\"a\":\n1}").frame().clone();
        let (re, error) = (Number { number: 3, sequence: [1; 16] }, r#"{"error":"no"}"#);
        let error = Message::text(error).frame().clone();
        let sent = Sent::of(&frame);
        let answer = Some(Answer::Reply(re));
        let (sequence, failed) = (Some([1; 16]), Some(Answer::Error(Some(re))));
        for (message, expected) in [
            (sent, "data: {\"a\":1}\n\n"),
            (Sent { next: Some(7), ..sent }, "id: 00000000000000ff-7\ndata: {\"a\":1}\n\n"),
            (Sent { frame: &lines, ..sent }, "data: {\ndata: \ndata: \"a\":\ndata: 1}\n\n"),
            (Sent { key: Some("a\n"), ..sent }, "key: \"a\\n\"\ndata: {\"a\":1}\n\n"),
            (Sent { key: Some("a"), frame: &[], ..sent }, "key: \"a\"\n\n"),
            (Sent { answer, ..sent }, "data: {\"a\":1}\n\n"),
            (
                Sent { answer, sequence, handled: Some(3), ..sent },
                "re: 3\nack: 3\ndata: {\"a\":1}\n\n",
            ),
            (
                Sent { answer: failed, sequence, frame: &error, next: Some(7), ..sent },
                "id: 00000000000000ff-7\nevent: failed\n\
                 data: {\"at\":7,\"re\":3,\"error\":\"no\"}\n\n",
            ),
        ] {
            assert_eq!(event(message), expected);
        }
    }

    #[test]
    fn what_is_told_has_a_name() {
        let at = Some(Position { epoch: 255, number: 12 });
        let id = "00000000000000ff";
        for (frame, expected) in [
            (
                form::hello(at, None, r#""id":"ada""#),
                format!(
                    "id: {id}-12\nevent: hello\n\
                     data: {{\"hello\":1,\"epoch\":\"{id}\",\"at\":12,\"id\":\"ada\"}}\n\n"
                ),
            ),
            (form::live(7), "event: live\ndata: {\"live\":7}\n\n".to_owned()),
            (
                form::gap(Some((1, 7)), Why::Epoch(255)),
                format!(
                    "id: {id}-7\nevent: gap\n\
                     data: {{\"epoch\":\"{id}\",\"gap\":[1,7],\"why\":\"epoch\"}}\n\n"
                ),
            ),
            (form::acknowledgement(4), "event: ack\ndata: {\"ack\":4}\n\n".to_owned()),
            (Bytes::from_static(b"\x89\0"), ":\n\n".to_owned()),
            (
                Close::own(4401, "who?".to_owned()).unwrap().frame(),
                "event: close\ndata: {\"code\":4401,\"reason\":\"who?\"}\n\n".to_owned(),
            ),
        ] {
            assert_eq!(told(&frame), expected);
        }
        assert_eq!(beacon(at), format!("id: {id}-12\n\n"));
    }
}
