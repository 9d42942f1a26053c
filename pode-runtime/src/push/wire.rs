//! Envelopes as bytes, for other processes.

use std::io;
use std::sync::Arc;

use pode_core::frame::{Close, Header, Opcode};
use pode_core::hub::{Attending, LogEntry, PresenceChange, Stay};
use pode_core::{ClientId, Message};
use serde::{Deserialize, Serialize};

use super::engine::{Answer, Audience, Command, Envelope, Recipients};

/// The wire form of an envelope. The payload follows the header.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WireEnvelope {
    Text(WireAudience),
    Binary(WireAudience),
    Keyed { path: Option<String>, key: String, value: WireValue },
    Join { who: WireAudience, group: String },
    Leave { who: WireAudience, group: String },
    Close { who: WireAudience, code: u16, reason: String },
    Presence(WirePresence),
}

/// A change of who is present. The first number of a stay is its process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WirePresence {
    Join {
        path: Option<String>,
        id: ClientId,
        info: String,
        stay: (u64, u64),
    },
    Leave {
        path: Option<String>,
        id: ClientId,
        stay: (u64, u64),
    },
    Only {
        node: u64,
    },
    Without {
        node: u64,
    },
    /// The path of each client, its id, what is told of it, and the number of its stay.
    All {
        node: u64,
        clients: Vec<(Option<String>, ClientId, String, u64)>,
    },
    Ask,
}

/// What a key has from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WireValue {
    Text,
    Binary,
    Removed,
}

/// An audience.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireAudience {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client: Option<ClientId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<Answer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    except: Option<ClientId>,
}

/// Splits a message of a log as [`pack`] does.
pub(crate) fn pack_entry<'log>(entry: &LogEntry<'log, Audience>) -> (WireEnvelope, &'log [u8]) {
    let LogEntry { path, audience, key, frame } = entry;
    let path = path.map(ToString::to_string);
    if let Some(key) = key.map(ToString::to_string) {
        let (value, payload) = match frame {
            [] => (WireValue::Removed, &[][..]),
            frame if is_binary(frame) => (WireValue::Binary, payload_of(frame)),
            frame => (WireValue::Text, payload_of(frame)),
        };
        return (WireEnvelope::Keyed { path, key, value }, payload);
    }
    let audience = audience.as_deref().map(WireAudience::from).unwrap_or_default();
    pack_frame(WireAudience { path, ..audience }, frame)
}

fn pack_frame(audience: WireAudience, frame: &[u8]) -> (WireEnvelope, &[u8]) {
    match is_binary(frame) {
        true => (WireEnvelope::Binary(audience), payload_of(frame)),
        false => (WireEnvelope::Text(audience), payload_of(frame)),
    }
}

/// Returns whether the message of a frame isn't text.
pub(crate) fn is_binary(frame: &[u8]) -> bool {
    frame.first().is_some_and(|first| first & 0xf == Opcode::Binary as u8)
}

fn payload_of(frame: &[u8]) -> &[u8] {
    &frame[Header::bytes_of(frame)..]
}

/// Splits an envelope into its header part and its payload.
///
/// # Errors
///
/// It concerns only this process.
pub(crate) fn pack(envelope: &Envelope) -> io::Result<(WireEnvelope, &[u8])> {
    let (audience, message) = match envelope {
        Envelope::Broadcast(message) => (WireAudience::default(), message),
        Envelope::Addressed(addressed) => (WireAudience::from(&addressed.0), &addressed.1),
        Envelope::Keyed(keyed) => return Ok(pack_entry(&keyed.log_entry())),
        Envelope::Command(command) => {
            let what = match &**command {
                Command::Join(who, group) => {
                    WireEnvelope::Join { who: who.into(), group: group.to_string() }
                }
                Command::Leave(who, group) => {
                    WireEnvelope::Leave { who: who.into(), group: group.to_string() }
                }
                Command::Close(who, close) => WireEnvelope::Close {
                    who: who.into(),
                    code: close.code().unwrap_or_default(),
                    reason: close.reason().to_owned(),
                },
                Command::Presence(change) => WireEnvelope::Presence(change.into()),
                other => {
                    return Err(io::Error::other(format!("{other:?} is for this process alone")));
                }
            };
            return Ok((what, &[]));
        }
    };
    Ok(pack_frame(audience, message.frame()))
}

/// Puts an envelope together.
///
/// # Errors
///
/// The envelope is not one that this process would make.
pub(crate) fn unpack(what: WireEnvelope, payload: &[u8]) -> io::Result<Envelope> {
    let unsound = |error: Box<dyn std::error::Error + Send + Sync>| {
        io::Error::new(io::ErrorKind::InvalidData, error)
    };
    let command = |command| Envelope::Command(Arc::new(command));
    let text = || std::str::from_utf8(payload).map_err(|error| unsound(error.into()));
    Ok(match what {
        WireEnvelope::Text(who) => Envelope::new(who.into(), Message::text(text()?)),
        WireEnvelope::Binary(who) => Envelope::new(who.into(), Message::binary(payload)),
        WireEnvelope::Keyed { path, key, value } => {
            let message = match value {
                WireValue::Text => Message::text(text()?),
                WireValue::Binary => Message::binary(payload),
                WireValue::Removed => Message::removal(),
            };
            Envelope::keyed(path.map(Into::into), key.into(), message)
        }
        WireEnvelope::Join { who, group } => command(Command::Join(who.into(), group.into())),
        WireEnvelope::Leave { who, group } => command(Command::Leave(who.into(), group.into())),
        WireEnvelope::Close { who, code, reason } => {
            let close = Close::own(code, reason).map_err(|error| unsound(error.into()))?;
            command(Command::Close(who.into(), close))
        }
        WireEnvelope::Presence(change) => command(Command::Presence(change.into())),
    })
}

impl From<&PresenceChange> for WirePresence {
    fn from(change: &PresenceChange) -> WirePresence {
        let text = |path: &Option<Arc<str>>| path.as_ref().map(ToString::to_string);
        match change {
            PresenceChange::Join { path, id, info, stay } => WirePresence::Join {
                path: text(path),
                id: id.clone(),
                info: info.to_string(),
                stay: (stay.node, stay.number),
            },
            PresenceChange::Leave { path, id, stay } => WirePresence::Leave {
                path: text(path),
                id: id.clone(),
                stay: (stay.node, stay.number),
            },
            PresenceChange::Only { node } => WirePresence::Only { node: *node },
            PresenceChange::Without { node } => WirePresence::Without { node: *node },
            PresenceChange::All { node, clients } => {
                let client = |Attending { path, id, info, number }: &_| {
                    (text(path), id.clone(), str::to_owned(info), *number)
                };
                let clients = clients.iter().map(client).collect();
                WirePresence::All { node: *node, clients }
            }
            PresenceChange::Ask => WirePresence::Ask,
        }
    }
}

impl From<WirePresence> for PresenceChange {
    fn from(change: WirePresence) -> PresenceChange {
        let stay = |(node, number)| Stay { node, number };
        match change {
            WirePresence::Join { path, id, info, stay: of } => PresenceChange::Join {
                path: path.map(Into::into),
                id,
                info: info.into(),
                stay: stay(of),
            },
            WirePresence::Leave { path, id, stay: of } => {
                PresenceChange::Leave { path: path.map(Into::into), id, stay: stay(of) }
            }
            WirePresence::Only { node } => PresenceChange::Only { node },
            WirePresence::Without { node } => PresenceChange::Without { node },
            WirePresence::All { node, clients } => {
                let clients = clients.into_iter().map(|(path, id, info, number)| Attending {
                    path: path.map(Into::into),
                    id,
                    info: info.into(),
                    number,
                });
                PresenceChange::All { node, clients: clients.collect() }
            }
            WirePresence::Ask => PresenceChange::Ask,
        }
    }
}

impl From<&Audience> for WireAudience {
    fn from(audience: &Audience) -> WireAudience {
        let (group, client) = match &audience.recipients {
            Recipients::Everyone => (None, None),
            Recipients::Group(group) => (Some(group.to_string()), None),
            Recipients::Client(client) => (None, Some(client.clone())),
        };
        let path = audience.path.as_ref().map(ToString::to_string);
        let (except, answer) = (audience.except.clone(), audience.answer);
        WireAudience { path, group, client, except, answer }
    }
}

impl From<WireAudience> for Audience {
    fn from(audience: WireAudience) -> Audience {
        let WireAudience { path, group, client, except, answer } = audience;
        let recipients = match (group, client) {
            (_, Some(client)) => Recipients::Client(client),
            (Some(group), None) => Recipients::Group(group.into()),
            (None, None) => Recipients::Everyone,
        };
        Audience { path: path.map(Into::into), recipients, except, answer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::session::Number;

    #[test]
    fn a_parcel_comes_out_as_it_went_in() {
        let ada: ClientId = "ada".parse().unwrap();
        let path = Some(Arc::from("/rooms/1"));
        let crew = Audience {
            path: path.clone(),
            recipients: Recipients::Group("crew".into()),
            except: Some(ada.clone()),
            answer: None,
        };
        let re = |number| Number { number, sequence: [255; 16] };
        let ada_gets =
            |answer| Audience { answer: Some(answer), ..Audience::client(None, ada.clone()) };
        let command = |command| Envelope::Command(Arc::new(command));
        let close = Close::own(4001, "bye").unwrap();
        for envelope in [
            Envelope::Broadcast(Message::text("ü")),
            Envelope::Broadcast(Message::binary(b"\xff\0")),
            Envelope::new(crew.clone(), Message::text("")),
            Envelope::new(Audience::client(None, ada.clone()), Message::binary(b"x")),
            Envelope::new(ada_gets(Answer::Error(None)), Message::text("{}")),
            Envelope::new(ada_gets(Answer::Error(Some(re(7)))), Message::text("{}")),
            Envelope::new(ada_gets(Answer::Reply(re(u64::MAX))), Message::text("1")),
            Envelope::keyed(None, "ü".into(), Message::text("ü")),
            Envelope::keyed(path.clone(), "".into(), Message::binary(b"\xff")),
            Envelope::keyed(None, "gone".into(), Message::removal()),
            command(Command::Join(Audience::client(path, ada), "crew".into())),
            command(Command::Leave(crew.clone(), "crew".into())),
            command(Command::Close(crew, close)),
        ] {
            let (what, payload) = pack(&envelope).unwrap();
            let json = serde_json::to_string(&what).unwrap();
            let unpacked = unpack(serde_json::from_str(&json).unwrap(), payload).unwrap();
            assert_eq!(format!("{unpacked:?}"), format!("{envelope:?}"), "{json}");
        }
        assert!(unpack(WireEnvelope::Text(WireAudience::default()), b"\xff").is_err());
        let (path, key, value) = (None, String::new(), WireValue::Text);
        assert!(unpack(WireEnvelope::Keyed { path, key, value }, b"\xff").is_err());
        let who = WireAudience::default();
        assert!(
            unpack(WireEnvelope::Close { who, code: 1005, reason: String::new() }, b"").is_err()
        );
    }
}
