//! Stands in for TLS to another server where the feature `tls` is off.

use std::io;
use std::path::Path;

use tokio::net::TcpStream;

use super::roots::Roots;
use crate::base::error::StartError;
use crate::net::upgraded::AnyStream;

pub(super) fn is_of_unknown_issuer(_: &io::Error) -> bool {
    false
}

/// Never exists.
pub(super) enum Tls {}

impl Tls {
    /// # Errors
    ///
    /// Always: the feature is off.
    pub(super) fn new(
        _: &Roots,
        upstream: &'static str,
        _: Option<&Path>,
    ) -> Result<Tls, StartError> {
        let what = format!("the `wss` URL of upstream `{upstream}`");
        Err(StartError::FeatureOff { what, feature: "tls" })
    }

    pub(super) async fn connect(&self, _: &str, _: TcpStream) -> io::Result<Box<dyn AnyStream>> {
        match *self {}
    }
}
