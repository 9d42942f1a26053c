//! Envelopes, which travel in the channel of a path: messages, and commands
//! that have to keep their order with them.
//!
//! Group changes, closes and queries go the same way as messages. So a client
//! that joins a group gets every message that is sent to the group afterwards,
//! and nothing else needs a lock.

use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use pode_core::frame::Close;
use pode_core::hub::{Arrival, LogEntry, Parcel, Permit, Position, PresenceChange, Weigh};
use pode_core::{ClientId, Message, SendError};
use serde::{Deserialize, Serialize};
#[cfg(feature = "test")]
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use crate::base::log::ration::rationed;
use crate::base::seconds::seconds;
use crate::net::connection_limit::SharedPermit;
use crate::push::session::Number;

/// Sent once, and taken by each shard with clients of the path.
#[derive(Clone, Debug)]
pub(crate) enum Envelope {
    /// A message for every client.
    Broadcast(Message),
    /// A message for some clients.
    Addressed(Arc<(Audience, Message)>),
    /// A message for every client of a path, which replaces the one with the same key.
    Keyed(Arc<Keyed>),
    /// A command.
    Command(Arc<Command>),
}

/// Some clients of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Audience {
    /// The path within a family.
    pub(crate) path: Option<Arc<str>>,
    pub(crate) recipients: Recipients,
    /// The client that is excluded.
    pub(crate) except: Option<ClientId>,
    /// Present if it is answered, rather than sent a message of the signal.
    pub(crate) answer: Option<Answer>,
}

/// What answers a client of `pode.v1`, and the number of its message, if that has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// A message as any other.
    Reply(Number),
    /// An object that says what was wrong.
    Error(Option<Number>),
}

/// A message with a key.
#[derive(Debug)]
pub(crate) struct Keyed {
    /// Everyone of a path.
    audience: Audience,
    key: Arc<str>,
    /// A [removal](Message::removal), if nothing takes its place.
    message: Message,
}

/// A message of an envelope.
#[derive(Clone, Copy)]
pub(crate) struct Content<'envelope> {
    /// Absent if it is for every client.
    pub(crate) audience: Option<&'envelope Audience>,
    pub(crate) key: Option<&'envelope Arc<str>>,
    pub(crate) message: &'envelope Message,
}

/// How long the path of a client within a family may be: all clients there share it,
/// and it is kept as long as they stay.
pub(crate) const MAX_PATH_BYTES: usize = 1024;

/// How long the name of a group may be.
pub(crate) const MAX_GROUP_BYTES: usize = 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recipients {
    Everyone,
    Group(Arc<str>),
    Client(ClientId),
}

#[derive(Debug)]
pub(crate) enum Command {
    /// Add clients to a group.
    Join(Audience, Arc<str>),
    /// Remove clients from a group.
    Leave(Audience, Arc<str>),
    /// Close clients.
    Close(Audience, Close),
    /// Change who is present, which has a number.
    Presence(PresenceChange),
    /// Admit a waiting client: the client with this arrival gets the messages
    /// that are sent from here on, and those since its last position, if it
    /// resumes; an earlier client with its id is closed.
    ///
    /// With `hello`, it speaks `pode.v1`.
    Admit { client: Audience, arrival: u64, since: Option<Position>, hello: Option<Hello> },
    /// Close a share of all clients: none at 0, all at [`EVERYBODY`]. With a code
    /// and reason, to which its position is added if messages have numbers.
    Drain { share: u32, code: u16, reason: &'static str },
    /// Tell clients of which epoch positions are from here on.
    #[cfg(feature = "redis")]
    Epoch(u64),
    /// Tell clients that messages from this number up to here may be missing; close those
    /// that can't be told.
    #[cfg(feature = "redis")]
    Missing { from: u64, why: Why },
    /// Answer a query for clients.
    Find(Audience, Query),
    /// Have a client share its permit with the connection that is to take its place.
    SharePermit(Audience, Mutex<Option<oneshot::Sender<SharedPermit>>>),
    /// Take a message of a client that hears an event stream, as if it came from its
    /// connection.
    Receive { client: Audience, sequence: [u8; 16], message: Mutex<Option<Posted>> },
    /// Keep a sender until what each client has sent so far is handled.
    #[cfg(feature = "test")]
    WhenHandled(mpsc::Sender<()>),
    /// Send a client this behind all that it gets. It is no message: it has no number
    /// and is in no log.
    #[cfg(feature = "test")]
    Mark(Audience, Message),
}

/// The text of a message that came apart from its client's connection, and who waits to hear
/// what becomes of it.
#[derive(Debug)]
pub(crate) struct Posted {
    pub(crate) text: String,
    pub(crate) asker: oneshot::Sender<PostOutcome>,
}

/// What becomes of such a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PostOutcome {
    /// It is as if it had come from the connection.
    Taken,
    /// Too many wait for the client's handler.
    Full,
}

/// Why messages may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// They are no longer kept.
    Age,
    /// The client read too slowly.
    Lag,
    /// The client's position isn't one of this server, or messages of an earlier epoch
    /// are lost; this one counts.
    Epoch(u64),
    /// This process was cut off from what carries messages for longer than they are kept
    /// there.
    #[cfg(feature = "redis")]
    Carrier,
}

/// What a client of `pode.v1` gets first of all.
#[derive(Debug)]
pub(crate) struct Hello {
    /// The members that have nothing to do with positions, as JSON without braces.
    pub(crate) members: String,
    /// What names the sequence of its messages, if it may send any.
    pub(crate) sequence: Option<[u8; 16]>,
}

/// All clients, as a share.
pub(crate) const EVERYBODY: u32 = 1 << 16;

/// A client that a query found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) id: ClientId,
    pub(crate) groups: Vec<Arc<str>>,
}

/// A query to all shards. When the last of them has dropped it, the answer is
/// complete.
#[derive(Debug)]
pub(crate) struct Query {
    found: Mutex<Vec<Found>>,
    asker: Option<oneshot::Sender<Vec<Found>>>,
}

impl Envelope {
    /// Makes the envelope of a message.
    pub(crate) fn new(audience: Audience, message: Message) -> Envelope {
        match audience {
            Audience { path: None, recipients: Recipients::Everyone, except: None, .. } => {
                Envelope::Broadcast(message)
            }
            audience => Envelope::Addressed(Arc::new((audience, message))),
        }
    }

    /// Makes the envelope of a message with a key, at a path within a family or at the
    /// only one.
    pub(crate) fn keyed(path: Option<Arc<str>>, key: Arc<str>, message: Message) -> Envelope {
        Envelope::Keyed(Arc::new(Keyed { audience: Audience::everyone(path), key, message }))
    }

    /// Publishes it: a message, or a command that concerns another process, too. What
    /// no client can get, by its path or group, is left out.
    pub(crate) fn publish(
        self,
        permit: Permit<'_, Envelope>,
    ) -> Result<Option<Arrival>, SendError> {
        let (audience, joined) = match &self {
            Envelope::Broadcast(_) => (None, None),
            Envelope::Addressed(addressed) => (Some(&addressed.0), None),
            Envelope::Keyed(keyed) => (Some(&keyed.audience), None),
            Envelope::Command(command) => match &**command {
                Command::Join(who, group) | Command::Leave(who, group) => (Some(who), Some(group)),
                Command::Close(who, _) => (Some(who), None),
                _ => (None, None),
            },
        };
        let path = audience.and_then(|audience| audience.path.as_ref());
        let group = audience.and_then(|audience| match &audience.recipients {
            Recipients::Group(group) => Some(group),
            _ => None,
        });
        let is_long = |name: Option<&Arc<str>>, most| name.is_some_and(|name| name.len() > most);
        if is_long(path, MAX_PATH_BYTES) || is_long(group.or(joined), MAX_GROUP_BYTES) {
            rationed!(warn, "no client can be at a path, or in a group, with such a long name");
            return Ok(None);
        }
        permit.publish(self, seconds)
    }

    /// Returns the message; `None` if it is none.
    pub(crate) fn content(&self) -> Option<Content<'_>> {
        let (audience, key, message) = match self {
            Envelope::Broadcast(message) => (None, None, message),
            Envelope::Addressed(addressed) => (Some(&addressed.0), None, &addressed.1),
            Envelope::Keyed(keyed) => {
                let Keyed { audience, key, message } = &**keyed;
                (audience.path.is_some().then_some(audience), Some(key), message)
            }
            Envelope::Command(_) => return None,
        };
        Some(Content { audience, key, message })
    }
}

impl Parcel for Envelope {
    type Audience = Audience;

    fn log_entry(&self) -> Option<LogEntry<'_, Audience>> {
        match self {
            Envelope::Broadcast(message) => {
                Some(LogEntry { path: None, audience: None, key: None, frame: message.frame() })
            }
            Envelope::Addressed(addressed) => {
                let (audience, message) = &**addressed;
                let Audience { path, recipients, except, .. } = audience;
                // The log has a place for each path.
                let everyone = except.is_none() && *recipients == Recipients::Everyone;
                let audience =
                    (!everyone).then(|| Arc::new(Audience { path: None, ..audience.clone() }));
                Some(LogEntry { path: path.as_ref(), audience, key: None, frame: message.frame() })
            }
            Envelope::Keyed(keyed) => Some(keyed.log_entry()),
            Envelope::Command(_) => None,
        }
    }

    fn presence_change(&self) -> Option<&PresenceChange> {
        let Envelope::Command(command) = self else { return None };
        let Command::Presence(change) = &**command else { return None };
        Some(change)
    }
}

impl Keyed {
    /// Returns what a log keeps of it.
    pub(crate) fn log_entry(&self) -> LogEntry<'_, Audience> {
        let Keyed { audience: Audience { path, .. }, key, message } = self;
        LogEntry { path: path.as_ref(), audience: None, key: Some(key), frame: message.frame() }
    }
}

impl Weigh for Audience {
    /// Ids are shared with others, or within.
    fn bytes(&self) -> usize {
        let Audience { recipients, .. } = self;
        size_of_val(self) + if let Recipients::Group(group) = recipients { group.len() } else { 0 }
    }
}

/// Returns what identifies a new numbering; it can't be guessed.
pub(crate) fn random_epoch() -> u64 {
    RandomState::new().hash_one(())
}

impl Audience {
    /// Returns what says who belongs to it.
    pub(super) fn members(&self) -> (Option<&Arc<str>>, &Recipients, Option<&ClientId>) {
        (self.path.as_ref(), &self.recipients, self.except.as_ref())
    }

    /// Returns whether a client with this id at its path belongs to it.
    pub(super) fn is_for(&self, id: &ClientId, is_member: impl Fn(&Arc<str>) -> bool) -> bool {
        self.except.as_ref() != Some(id)
            && match &self.recipients {
                Recipients::Everyone => true,
                Recipients::Group(group) => is_member(group),
                Recipients::Client(client) => client == id,
            }
    }

    /// Returns all clients of a path.
    pub(crate) fn everyone(path: Option<Arc<str>>) -> Audience {
        Audience::of(path, Recipients::Everyone)
    }

    /// Returns one client of a path.
    pub(crate) fn client(path: Option<Arc<str>>, id: ClientId) -> Audience {
        Audience::of(path, Recipients::Client(id))
    }

    /// Returns these of a path.
    pub(crate) fn of(path: Option<Arc<str>>, recipients: Recipients) -> Audience {
        Audience { path, recipients, except: None, answer: None }
    }
}

impl Query {
    /// Makes a query and the receiver of its answer.
    pub(crate) fn new() -> (Query, oneshot::Receiver<Vec<Found>>) {
        let (asker, answer) = oneshot::channel();
        (Query { found: Mutex::default(), asker: Some(asker) }, answer)
    }

    /// Adds what one shard has found.
    pub(super) fn answer(&self, found: impl Iterator<Item = Found>) {
        // No code that holds the lock can panic midway.
        self.found.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
    }
}

impl Drop for Query {
    fn drop(&mut self) {
        let found = self.found.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(asker) = self.asker.take() {
            // The asker may no longer wait for the answer.
            let _ = asker.send(mem::take(found));
        }
    }
}
