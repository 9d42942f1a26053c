//! Why a payload could not be sent.

use crate::frame::CloseError;
use crate::latest_by::MAX_KEY_BYTES;
use crate::presence::MAX_INFO_BYTES;

/// Why a payload could not be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// This server doesn't declare the path; usually the constant belongs to
    /// another server.
    #[error("no signal is declared at `{path}`")]
    UnknownPath {
        /// The requested path.
        path: &'static str,
    },

    /// The payload has no JSON form, for example a map with tuple keys.
    #[error("cannot encode the payload for signal `{path}`")]
    Encode {
        /// The path of the signal, or `*` for all of them.
        path: &'static str,
        /// The error from serde.
        source: serde_json::Error,
    },

    /// The key of the message (`latest_by`) is too long. Nothing was sent.
    #[error("a key for signal `{path}` has {bytes} bytes, more than {MAX_KEY_BYTES}")]
    Key {
        /// The path of the signal.
        path: &'static str,
        /// How many bytes it has.
        bytes: usize,
    },

    /// The signal isn't declared with `presence`.
    #[error("nobody is told who is present at signal `{path}`: declare it with `presence: 200`")]
    NoPresence {
        /// The path of the signal.
        path: &'static str,
    },

    /// What is told of a client that is present is too long.
    #[error(
        "what is told of a client at signal `{path}` has {bytes} bytes, more than {MAX_INFO_BYTES}"
    )]
    Info {
        /// The path of the signal.
        path: &'static str,
        /// How many bytes it has.
        bytes: usize,
    },

    /// What is told of a client that is present isn't of the type that is asked for.
    #[error("what is told of a client at signal `{path}` is of another type")]
    Present {
        /// The path of the signal.
        path: &'static str,
        /// The error from serde.
        source: serde_json::Error,
    },

    /// The signal's channel had no capacity in time: the server delivers more
    /// slowly than messages are sent, or it has not been started yet, and more than
    /// `capacity_messages` were sent. Nothing was sent.
    #[error(
        "the channel of signal `{path}` stayed full; nothing leaves it before the server is started"
    )]
    Full {
        /// The path of the signal.
        path: &'static str,
    },

    /// A connection can't be closed with this code or reason.
    #[error("cannot close clients of signal `{path}`")]
    Close {
        /// The path of the signal.
        path: &'static str,
        /// What is wrong with it.
        source: CloseError,
    },

    /// The backplane can't be reached, or is too slow. Nothing was sent.
    #[error("the backplane can't be reached, so nothing was sent to signal `{path}`")]
    Backplane {
        /// The path of the signal.
        path: &'static str,
    },

    /// The backplane didn't answer in time. The message may have been sent, or may still
    /// be.
    #[error("the backplane didn't say whether a message was sent to signal `{path}`")]
    Unknown {
        /// The path of the signal.
        path: &'static str,
    },

    /// The server has stopped; nobody would receive the message.
    #[error("the server of signal `{path}` has stopped")]
    Stopped {
        /// The path of the signal.
        path: &'static str,
    },
}
