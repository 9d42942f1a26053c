//! Envelopes, which travel in the channel of a path: messages, and commands
//! that have to keep their order with them.
//!
//! Group changes, closes and queries go the same way as messages. So a client
//! that joins a group gets every message that is sent to the group afterwards,
//! and nothing else needs a lock.

use std::mem;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pode_core::frame::Close;
use pode_core::hub::{HistoryGap, Permit, Position};
use pode_core::{ClientId, Message, SendError};
#[cfg(feature = "test")]
use tokio::sync::mpsc;
use tokio::sync::oneshot;

/// Sent once, and taken by each shard with clients of the path.
#[derive(Clone, Debug)]
pub(crate) enum Envelope {
    /// A message for every client.
    Broadcast(Message),
    /// A message for some clients.
    Addressed(Arc<(Audience, Message)>),
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
}

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
    /// Admit a waiting client: the client with this arrival gets the messages
    /// that are sent from here on, and an earlier client with its id is closed.
    Admit { client: Audience, arrival: u64, replay: Replay },
    /// Close a share of all clients: none at 0, all at [`EVERYBODY`].
    Drain { share: u32, close: Close },
    /// A command of another process that has its place here.
    Foreign,
    /// Answer a query for clients.
    Find(Audience, Query),
    /// Keep a sender until what each client has sent so far is handled.
    #[cfg(feature = "test")]
    WhenHandled(mpsc::Sender<()>),
}

/// All clients, as a share.
pub(crate) const EVERYBODY: u32 = 1 << 16;

/// The messages that a client missed while it was disconnected.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    /// The client's last position; `None` if it doesn't resume.
    since: Option<Position>,
    /// Filled in when the command is put into its channel.
    envelopes: OnceLock<Result<Vec<Envelope>, HistoryGap>>,
}

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
            Audience { path: None, recipients: Recipients::Everyone, except: None } => {
                Envelope::Broadcast(message)
            }
            audience => Envelope::Addressed(Arc::new((audience, message))),
        }
    }

    /// Returns how many bytes it counts in a history.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Envelope::Broadcast(message) => message.frame().len(),
            Envelope::Addressed(addressed) => addressed.1.frame().len(),
            Envelope::Command(_) => mem::size_of::<Command>(),
        }
    }

    /// Puts it into its channel. Where the channel is numbered, messages get a
    /// number and are recognized by their tag; so are commands that also
    /// concern another process.
    pub(crate) fn put(self, permit: Permit<'_, Envelope>, tag: u64) -> Result<(), SendError> {
        let bytes = self.bytes();
        let Envelope::Command(command) = &self else { return permit.publish(self, bytes, tag) };
        let command = Arc::clone(command);
        match &*command {
            Command::Join(..) | Command::Leave(..) | Command::Close(..) | Command::Foreign => {
                permit.publish(self, bytes, tag)
            }
            Command::Admit { replay: Replay { since: Some(since), envelopes }, .. } => {
                permit.send_missed(*since, |replay| {
                    // A command is sent once.
                    let _ = envelopes.set(replay);
                    self
                })
            }
            Command::Admit { .. } | Command::Drain { .. } | Command::Find(..) => permit.send(self),
            #[cfg(feature = "test")]
            Command::WhenHandled(_) => permit.send(self),
        }
    }

    /// Returns the message if it is for exactly this audience; `None` as the
    /// audience means everyone.
    pub(super) fn message_for(&self, audience: Option<&Audience>) -> Option<&Message> {
        match (self, audience) {
            (Envelope::Broadcast(message), None) => Some(message),
            (Envelope::Addressed(addressed), Some(audience)) if addressed.0 == *audience => {
                Some(&addressed.1)
            }
            _ => None,
        }
    }
}

impl Replay {
    /// Asks for the messages after a position.
    pub(crate) fn since(position: Option<Position>) -> Replay {
        Replay { since: position, envelopes: OnceLock::new() }
    }

    /// Returns the missed messages, if the history still has them.
    pub(super) fn envelopes(&self) -> Result<&[Envelope], HistoryGap> {
        match self.envelopes.get() {
            Some(Ok(envelopes)) => Ok(envelopes),
            Some(Err(forgotten)) => Err(*forgotten),
            None if self.since.is_some() => Err(HistoryGap),
            None => Ok(&[]),
        }
    }
}

impl Audience {
    /// Returns whether a client with this path, id and groups belongs to it.
    pub(super) fn contains(
        &self,
        path: Option<&Arc<str>>,
        id: &ClientId,
        groups: &[Arc<str>],
    ) -> bool {
        self.path.as_ref() == path
            && self.except.as_ref() != Some(id)
            && match &self.recipients {
                Recipients::Everyone => true,
                Recipients::Group(group) => groups.contains(group),
                Recipients::Client(client) => client == id,
            }
    }

    /// Returns all clients of a path.
    pub(crate) fn everyone(path: Option<Arc<str>>) -> Audience {
        Audience { path, recipients: Recipients::Everyone, except: None }
    }

    /// Returns one client of a path.
    pub(crate) fn client(path: Option<Arc<str>>, id: ClientId) -> Audience {
        Audience { path, recipients: Recipients::Client(id), except: None }
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
