//! Why a payload could not be sent to an upstream.

/// Why a payload could not be sent to an upstream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// There is no connection: the server has only just started, the other
    /// server can't be reached, or the connection was lost while the message
    /// waited. The upstream reconnects by itself; the message is not sent
    /// again.
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
        /// The longest message allowed.
        most: usize,
    },

    /// The payload has no JSON form, for example a map with tuple keys.
    #[error("cannot encode the payload for upstream `{name}`")]
    Encode {
        /// The name of the upstream.
        name: &'static str,
        /// The error of serde.
        source: serde_json::Error,
    },

    /// This server doesn't declare the upstream; the constant is usually that
    /// of another server.
    #[error("no upstream `{name}` is declared")]
    Unknown {
        /// The name that was asked for.
        name: &'static str,
    },

    /// The server has stopped or is stopping; it doesn't connect again.
    #[error("the server of upstream `{name}` has stopped")]
    Stopped {
        /// The name of the upstream.
        name: &'static str,
    },
}
