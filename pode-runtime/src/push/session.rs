//! The engine's view of a client session: what gets the client's messages and
//! its disconnect.

use std::fmt;
use std::task::Waker;
use std::time::Duration;

use pode_core::frame::Close;
use pode_core::{ClientId, Message};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use crate::net::connection_limit::SharedPermit;
use crate::push::raw_message::RawMessage;

/// Gets the messages of an admitted client, until it has disconnected.
///
/// Called within a runtime. If it is dropped before [`leave`](Self::leave), its
/// client was lost.
pub(crate) trait Session: fmt::Debug + Send {
    /// Counts a message of the client, and returns it as its handler gets it; `None` if
    /// it came before.
    ///
    /// # Errors
    ///
    /// It sends too many, or what is no message, or another connection goes on with its
    /// messages.
    fn accept(&mut self, message: RawMessage) -> Result<Option<Incoming>, Fault>;

    /// Spawns a task that handles messages in their order. While one waits, the waker is
    /// woken when others are handled that are to be acknowledged.
    fn handle(&self, messages: Vec<Incoming>, waker: Waker) -> JoinHandle<()>;

    /// Returns the number up to which messages are handled, if the client wasn't told
    /// so yet.
    fn handled(&self) -> Option<u64>;

    /// Notes that the client is told so; returns whether that is news.
    fn acknowledge(&mut self, number: u64) -> bool;

    /// Whether another connection goes on with the client's messages, so that what waits
    /// is handled no more.
    fn is_elsewhere(&self) -> bool;

    /// Returns what names the sequence of the client's messages, if it speaks `pode.v1`.
    fn sequence(&self) -> Option<[u8; 16]>;

    /// Returns what counts the client until all is done for it, if anything does.
    fn permit(&self) -> Option<&SharedPermit>;

    /// Ends the session. The end is reported after the messages in handling and
    /// then the waiting ones are handled.
    fn leave(
        &mut self,
        end: DisconnectReason,
        handling: Option<JoinHandle<()>>,
        waiting: Vec<Incoming>,
    );
}

/// A message of a client, for its handler.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) message: RawMessage,
    pub(crate) number: Option<Number>,
    /// Whether it may have been handled before, by a server that nobody can ask.
    pub(crate) may_be_repeated: bool,
    /// Whether its client has given it up, so that only its number is there.
    pub(crate) is_given_up: bool,
}

impl Incoming {
    /// Returns a message without a number.
    pub(crate) fn plain(message: RawMessage) -> Incoming {
        Incoming { message, number: None, may_be_repeated: false, is_given_up: false }
    }
}

/// The number of a message in the sequence of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Number {
    pub(crate) number: u64,
    /// See [`Session::sequence`].
    pub(crate) sequence: [u8; 16],
}

/// Gives clients of `pode.v1` new tickets before theirs expire.
pub(crate) trait Renews: fmt::Debug + Send + Sync {
    /// Returns how often that is due; `None` if it isn't done.
    fn period(&self) -> Option<Duration>;

    /// Returns a new ticket.
    fn renew(&self, renewal: &Renewal<'_>) -> String;
}

/// Whom a new ticket is for.
pub(crate) struct Renewal<'client> {
    /// The declared path.
    pub(crate) signal: &'client str,
    /// The client's own path within a family.
    pub(crate) path: Option<&'client str>,
    pub(crate) id: &'client ClientId,
    /// Whether the program has set the id.
    pub(crate) is_set: bool,
    /// See [`Session::sequence`].
    pub(crate) sequence: Option<[u8; 16]>,
}

/// What a client is told that broke a rule, when all its earlier messages are
/// handled.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Its last message, if any.
    pub(crate) message: Option<Message>,
    pub(crate) close: Close,
}

/// Why a client has disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The client sent a close frame. A browser sends 1001 when its page is
    /// left.
    ByClient {
        /// The close code, if there was one.
        code: Option<u16>,
    },
    /// The server closed it: for a handler, after its `idle_timeout` (1000), for
    /// another client with its id (1008; by `pode.v1` 4001, or 4409 for its own next connection), after a failure in the server (1011), or
    /// as it resumed and the messages that it missed were no longer kept (4410).
    ByServer {
        /// The close code.
        code: u16,
    },
    /// It gave no sign of liveness for one heartbeat interval.
    TimedOut,
    /// It read too slowly: too many messages waited for it, or at a signal with
    /// history, the next one for it was no longer kept. It got close code 1013.
    Lagged,
    /// The server stopped. The client got close code 1001, or 1012 if another
    /// process had taken over, unless it was cut off.
    Stopped,
    /// It broke a rule and got the close code.
    Error {
        /// The close code: 1002 for a malformed frame, 1003 for a message to a
        /// signal that takes none, 1007 for text that is not UTF-8, or no message of
        /// `pode.v1` where the client speaks that, 1008 for too many messages (4429
        /// by `pode.v1`), a message that comes too slowly (4408) or too many empty frames,
        /// 1009 for a message that is too big.
        code: u16,
    },
    /// The connection ended without a close frame.
    Lost,
}

impl DisconnectReason {
    /// Returns the close code, if there is one that is known, and the words of the
    /// log.
    pub(crate) fn told(self) -> (Option<u16>, &'static str) {
        match self {
            DisconnectReason::ByClient { code } => (code, "the client closed it"),
            DisconnectReason::ByServer { code } => (Some(code), "the server closed it"),
            DisconnectReason::TimedOut => (None, "the client answered no heartbeat"),
            DisconnectReason::Lagged => (Some(1013), "the client read too slowly"),
            DisconnectReason::Stopped => (None, "the server stops"),
            DisconnectReason::Error { code } => (Some(code), "the client broke a rule"),
            DisconnectReason::Lost => (None, "the connection ended without a close frame"),
        }
    }
}
