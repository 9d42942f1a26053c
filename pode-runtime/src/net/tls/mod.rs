//! TLS: `config` is the configuration of an address, `certificate/` reads the files
//! that declarations name, `renewal/` reads them again when they change.

pub mod certificate;
pub(crate) mod config;
pub(crate) mod renewal;
