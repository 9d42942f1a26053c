//! What travels in the channel of a path: messages, and whatever has to keep
//! its order with them.
//!
//! Who is in which group, who is to be closed and who is there at all is told
//! and asked by the same way as messages go. So a client that joins a group
//! gets all that is sent to it afterwards, and nothing else needs a lock.

use std::mem;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pode_core::frame::Close;
use pode_core::hub::{HistoryGap, Permit, Position};
use pode_core::{ClientId, Message, SendError};
use tokio::sync::oneshot;

/// What is sent once, and taken by each shard with clients of the path.
#[derive(Clone, Debug)]
pub(crate) enum Envelope {
    /// A message for every client.
    Broadcast(Message),
    /// A message for some of them.
    Addressed(Arc<(Audience, Message)>),
    /// Something to do.
    Command(Arc<Command>),
}

/// Some clients of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Audience {
    /// The one path that is meant, of a family.
    pub(crate) path: Option<Arc<str>>,
    pub(crate) recipients: Recipients,
    /// Who doesn't belong to it after all.
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
    /// Put clients into a group.
    Join(Audience, Arc<str>),
    /// Take clients out of a group.
    Leave(Audience, Arc<str>),
    /// Say goodbye to clients.
    Close(Audience, Close),
    /// Let in who waits: the client of that arrival gets what is sent from here
    /// on, and whoever came before it under its id is closed.
    Admit { client: Audience, arrival: u64, replay: Replay },
    /// Say goodbye to a share of all clients: to none at 0, to everybody at
    /// [`EVERYBODY`].
    Drain { share: u32, close: Close },
    /// Something that another process does in this place.
    Foreign,
    /// Tell who is there.
    Find(Audience, Query),
}

/// The whole crowd, as a share of it.
pub(crate) const EVERYBODY: u32 = 1 << 16;

/// What a client that was elsewhere missed.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    /// How far it had come; `None` if it wasn't.
    since: Option<Position>,
    /// Filled in at the moment when the order is given.
    envelopes: OnceLock<Result<Vec<Envelope>, HistoryGap>>,
}

/// A client that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) id: ClientId,
    pub(crate) groups: Vec<Arc<str>>,
}

/// A question to all shards. When the last of them has let go of it, the
/// answer is whole.
#[derive(Debug)]
pub(crate) struct Query {
    found: Mutex<Vec<Found>>,
    asker: Option<oneshot::Sender<Vec<Found>>>,
}

impl Envelope {
    /// Makes the parcel of a message.
    pub(crate) fn new(audience: Audience, message: Message) -> Envelope {
        match audience {
            Audience { path: None, recipients: Recipients::Everyone, except: None } => {
                Envelope::Broadcast(message)
            }
            audience => Envelope::Addressed(Arc::new((audience, message))),
        }
    }

    /// Returns how many bytes are kept for it.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Envelope::Broadcast(message) => message.frame().len(),
            Envelope::Addressed(addressed) => addressed.1.frame().len(),
            Envelope::Command(_) => mem::size_of::<Command>(),
        }
    }

    /// Puts it into its channel. Messages are numbered where that is done, and
    /// known again by their tag; so are orders that concern another process,
    /// too.
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
                    // An order is given once.
                    let _ = envelopes.set(replay);
                    self
                })
            }
            Command::Admit { .. } | Command::Drain { .. } | Command::Find(..) => permit.send(self),
        }
    }

    /// Returns the message if it is one for just this audience; for everyone, if
    /// that is none.
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
    /// Means what comes behind a position.
    pub(crate) fn since(position: Option<Position>) -> Replay {
        Replay { since: position, envelopes: OnceLock::new() }
    }

    /// Returns it, as it is known now.
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
    /// Tells whether a client of this path, id and groups belongs to it.
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
                Recipients::Client(recipients) => recipients == id,
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
    /// Makes a question, and where its answer will be.
    pub(crate) fn new() -> (Query, oneshot::Receiver<Vec<Found>>) {
        let (asker, answer) = oneshot::channel();
        (Query { found: Mutex::default(), asker: Some(asker) }, answer)
    }

    /// Adds what one shard knows.
    pub(super) fn answer(&self, found: impl Iterator<Item = Found>) {
        // Nothing that holds the lock can panic midway.
        self.found.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
    }
}

impl Drop for Query {
    fn drop(&mut self) {
        let found = self.found.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(asker) = self.asker.take() {
            // Whoever doesn't wait any more needs no answer.
            let _ = asker.send(mem::take(found));
        }
    }
}
