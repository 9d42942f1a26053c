//! The errors that a program that runs a server may end with.

use std::fmt;

use pode_core::SendError;

use crate::base::error::{EndedError, InvokeError, StartError, with_causes};
#[cfg(feature = "upstream")]
use crate::upstream::UpstreamError;

/// The error that a program built on pode may end with.
///
/// Its `Debug` form is its `Display` text followed by the causes, since
/// `fn main() -> pode::Result` prints the `Debug` form.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server could not start.
    #[error(transparent)]
    Start(#[from] StartError),

    /// A payload could not be sent.
    #[error(transparent)]
    Send(#[from] SendError),

    /// A timer or a schedule could not be invoked.
    #[error(transparent)]
    Invoke(#[from] InvokeError),

    /// A payload could not be sent to an upstream.
    #[cfg(feature = "upstream")]
    #[error(transparent)]
    Upstream(#[from] UpstreamError),

    /// The server ended by itself.
    #[error(transparent)]
    Ended(#[from] EndedError),
}

/// A result that may be an [`Error`].
pub type Result<T = ()> = std::result::Result<T, Error>;

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_causes(self))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn an_error_prints_as_one_sentence_with_its_causes() {
        let source = io::Error::other("not allowed");
        let error =
            StartError::Bind { endpoint: "http".into(), address: "127.0.0.1:80".into(), source };
        let printed = format!("{:?}", Error::from(error));
        assert_eq!(printed, "endpoint `http` can't listen on 127.0.0.1:80: not allowed");
    }

    #[test]
    fn an_address_says_what_to_write() {
        let reason = "127.0.0.1".parse::<pode_core::Bind>().unwrap_err();
        let error = Error::from(StartError::Address { endpoint: "http".into(), reason });
        let sentence = "endpoint `http`: address `127.0.0.1` has no port; write `\"127.0.0.1:8090\"`, or port 0 for a free one";
        assert_eq!(format!("{error:?}"), sentence);
    }
}
