//! Why a payload could not be sent to an upstream.

/// Why a payload could not be sent to an upstream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// No connection is there: the server has only just started, the other one
    /// can't be reached, or the connection was lost while the message waited.
    /// It is tried again by itself; what was to be sent is not.
    #[error("upstream `{name}` is not connected, so nothing was sent")]
    NotConnected {
        /// The name of the upstream.
        name: &'static str,
    },

    /// The other server reads more slowly than messages are sent.
    #[error("upstream `{name}` took no message in time")]
    TimedOut {
        /// The name of the upstream.
        name: &'static str,
    },

    /// The message is longer than the upstream's `max_message_bytes`.
    #[error("a message of {bytes} bytes is too long for upstream `{name}`, which takes {most}")]
    TooLong {
        /// The name of the upstream.
        name: &'static str,
        /// The length of the message.
        bytes: usize,
        /// The most that it may have.
        most: usize,
    },

    /// The payload has no JSON form, for example a map with tuple keys.
    #[error("cannot encode the payload for upstream `{name}`")]
    Encode {
        /// The name of the upstream.
        name: &'static str,
        /// What serde found.
        source: serde_json::Error,
    },

    /// This server doesn't declare the upstream; usually a constant of another
    /// server.
    #[error("no upstream `{name}` is declared")]
    Unknown {
        /// The name that was asked for.
        name: &'static str,
    },

    /// The server has stopped, or is about to; it doesn't connect again.
    #[error("the server of upstream `{name}` has stopped")]
    Stopped {
        /// The name of the upstream.
        name: &'static str,
    },
}
