pub mod certificate;
pub(crate) mod config;
pub(crate) mod renewal;
