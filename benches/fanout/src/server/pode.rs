//! A declared server: default options, and `send` to publish.

use std::io;
use std::sync::Arc;

use pode::{Protocol, RunningServer, Server, SignalPath};

use super::Publisher;

mod one_path {
    use pode::prelude::*;

    pode_server! {
        /// Sends on one path.
        pub(super) server one_path;
        endpoint ws "127.0.0.1:0";
        signal PATH: String = "/0";
    }
}

mod one_path_secret {
    use pode::prelude::*;

    pode_server! {
        /// Sends on one path, behind TLS.
        pub(super) server one_path_secret;
        endpoint wss "127.0.0.1:0" { certificate: self_signed() };
        signal PATH: String = "/0";
    }
}

mod in_a_group {
    use pode::prelude::*;

    pode_server! {
        /// Sends to a group that contains all clients of one path.
        pub(super) server in_a_group;
        endpoint ws "127.0.0.1:0";
        signal PATH: String = "/0";
        on connect PATH => async |event| event.join_group(super::GROUP);
    }
}

mod many_paths {
    use pode::prelude::*;

    include!(concat!(env!("OUT_DIR"), "/many_paths.rs"));
}

/// The group of all clients that the handler admits.
const GROUP: &str = "crew";

#[derive(Clone)]
pub(super) struct Declared {
    running: Arc<RunningServer>,
    paths: &'static [SignalPath<String>],
    /// Whether it sends to a group.
    in_a_group: bool,
}

/// Starts the declared server for this many paths. It makes its own self-signed
/// certificate.
pub(super) async fn start(paths: usize, secret: bool) -> io::Result<(u16, Declared)> {
    let (server, protocol, paths): (_, _, &'static [_]) = match (paths, secret) {
        (1, false) => (one_path::one_path(), Protocol::Ws, &[one_path::PATH]),
        (1, true) => (one_path_secret::one_path_secret(), Protocol::Wss, &[one_path_secret::PATH]),
        (_, false) => (many_paths::many_paths(), Protocol::Ws, &many_paths::PATHS),
        (_, true) => return Err(io::Error::other("no server with many paths is behind TLS")),
    };
    run(server, protocol, paths, false).await
}

/// Starts the declared server whose clients are in a group.
pub(super) async fn start_in_a_group() -> io::Result<(u16, Declared)> {
    run(in_a_group::in_a_group(), Protocol::Ws, &[in_a_group::PATH], true).await
}

async fn run(
    server: Server,
    protocol: Protocol,
    paths: &'static [SignalPath<String>],
    in_a_group: bool,
) -> io::Result<(u16, Declared)> {
    let running = server.start().await.map_err(io::Error::other)?;
    let address = running.address(protocol).ok_or(io::ErrorKind::AddrNotAvailable)?;
    Ok((address.port(), Declared { running: Arc::new(running), paths, in_a_group }))
}

impl Publisher for Declared {
    async fn publish(&self, path: usize, text: String) -> io::Result<()> {
        let sending = self.running.signals().send(self.paths[path], &text);
        let sent = if self.in_a_group { sending.to_group(GROUP).await } else { sending.await };
        sent.map_err(io::Error::other)
    }
}
