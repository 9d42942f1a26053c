//! Connections of a test to its server.

use std::io;
use std::net::SocketAddr;

use pode_core::Address;
use tokio::net::{TcpListener, TcpStream};

use super::identity::Identity;
use super::patience::{OrFail, Patience};
use super::tls;
use crate::net::listen;
use crate::net::upgraded::AnyStream;

/// Listens on a free port.
pub(super) fn loopback() -> io::Result<TcpListener> {
    let any_port = Address::from(SocketAddr::from(([127, 0, 0, 1], 0)));
    listen::bind(&any_port.bind().map_err(io::Error::other)?)
}

pub(super) async fn connect(
    address: SocketAddr,
    secure_host: Option<&str>,
    identity: Option<&Identity>,
    patience: Patience,
) -> Box<dyn AnyStream> {
    let stream = TcpStream::connect(address).await;
    let stream = stream.or_fail(patience, format_args!("nothing listens on {address}"));
    // A small request shouldn't wait for more data.
    let _ = stream.set_nodelay(true);
    match secure_host {
        None => Box::new(stream),
        Some(host) => tls::connect(stream, host, identity, patience).await,
    }
}
