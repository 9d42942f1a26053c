//! Who a test's client is over TLS.

use std::path::PathBuf;

/// The PEM files of a client's certificates and of its key.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "nobody asks for it"))]
pub(super) struct Identity {
    pub(super) chain: PathBuf,
    pub(super) key: PathBuf,
}
