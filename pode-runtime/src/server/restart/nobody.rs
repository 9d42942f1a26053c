//! Without Unix sockets there is no hand-over.

use std::io;
use std::path::Path;

use crate::base::error::StartError;
use crate::net::listen::HandedSocket;
use crate::push::engine::Envelope;

/// Never exists.
pub(crate) enum Predecessor {}

impl Predecessor {
    /// # Errors
    ///
    /// Always: the option isn't supported.
    pub(crate) async fn find(path: &Path) -> Result<Option<Predecessor>, StartError> {
        Err(StartError::HandOver {
            path: path.to_owned(),
            reason: "needs Unix sockets, which this system doesn't have".to_owned(),
            source: Some(io::ErrorKind::Unsupported.into()),
        })
    }

    pub(crate) fn take_sockets(&mut self) -> Vec<HandedSocket> {
        match *self {}
    }
}
