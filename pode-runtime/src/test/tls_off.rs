//! Stands in for TLS where the feature `tls` is off: no server has it.

use tokio::net::TcpStream;

use super::identity::Identity;
use super::patience::Patience;
use crate::net::upgraded::AnyStream;

pub(super) async fn connect(
    _: TcpStream,
    _: &str,
    _: Option<&Identity>,
    patience: Patience,
) -> Box<dyn AnyStream> {
    patience.fail("the feature `tls` is off")
}
