//! What the engine knows of a client's session: who hears what it says, and
//! that it goes.

use std::fmt;

use pode_core::Message;
use tokio::task::JoinHandle;

use crate::push::raw_message::RawMessage;

/// Who hears a client that was let in, until it has gone.
///
/// Called within a runtime. One that is dropped before [`leave`](Self::leave)
/// has lost its client.
pub(crate) trait Session: fmt::Debug + Send {
    /// Counts a message; or returns what to tell a client that sends too many.
    fn admit(&mut self) -> Result<(), Message>;

    /// Spawns a task that handles messages in their order.
    fn handle(&self, messages: Vec<RawMessage>) -> JoinHandle<()>;

    /// Ends the session: as soon as what is being handled is done, and then what
    /// waits, its end is told.
    fn leave(
        &mut self,
        end: DisconnectReason,
        handling: Option<JoinHandle<()>>,
        waiting: Vec<RawMessage>,
    );
}

/// Why a client has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// It said goodbye; a browser gives 1001 when its page is left.
    ByClient {
        /// The close code, if it gave one.
        code: Option<u16>,
    },
    /// The server closed it: a handler did, another client came with its id
    /// (1008), or something in the server failed (1011).
    ByServer {
        /// The close code.
        code: u16,
    },
    /// It gave no sign of life for the time of a heartbeat.
    TimedOut,
    /// Too many messages waited for it; it was told by 1013.
    Lagged,
    /// The server stopped; it was told by 1001, or by 1012 if another process
    /// had taken over, unless it was cut off.
    Stopped,
    /// It broke a rule, of which it was told.
    Error {
        /// The close code: 1002 for a frame that isn't one, 1007 for a text
        /// that is none, 1008 for too many messages, 1009 for a message that
        /// is too big.
        code: u16,
    },
    /// The connection ended without a word.
    Lost,
}
