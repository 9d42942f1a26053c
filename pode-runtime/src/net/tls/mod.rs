//! TLS: `config` is the configuration of an address, `certificate/` reads the files
//! that declarations name, `renewal/` reads them again when they change. `session` is
//! one client's TLS, `stream` the same as a stream of tokio. `client` is TLS to another
//! server.

pub mod certificate;
#[cfg(any(feature = "redis", feature = "upstream"))]
pub(crate) mod client;
pub(crate) mod config;
pub(crate) mod renewal;
pub(crate) mod session;
pub(crate) mod stream;
