//! TLS: certificates, what an endpoint shows, and its renewal.

pub mod certificate;
pub(crate) mod config;
pub(crate) mod renewal;
