//! A declared server: default options, and `send` to publish.

use std::io;
use std::sync::Arc;

use pode::{Protocol, RunningServer, SignalPath};

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

mod many_paths {
    use pode::prelude::*;

    include!(concat!(env!("OUT_DIR"), "/many_paths.rs"));
}

#[derive(Clone)]
pub(super) struct Declared {
    running: Arc<RunningServer>,
    paths: &'static [SignalPath<String>],
}

/// Starts the declared server for so many paths. Its certificate is one that it
/// makes for itself.
pub(super) async fn start(paths: usize, secret: bool) -> io::Result<(u16, Declared)> {
    let (server, protocol, paths): (_, _, &'static [_]) = match (paths, secret) {
        (1, false) => (one_path::one_path(), Protocol::Ws, &[one_path::PATH]),
        (1, true) => (one_path_secret::one_path_secret(), Protocol::Wss, &[one_path_secret::PATH]),
        (_, false) => (many_paths::many_paths(), Protocol::Ws, &many_paths::PATHS),
        (_, true) => return Err(io::Error::other("no server with many paths is behind TLS")),
    };
    let running = server.start().await.map_err(io::Error::other)?;
    let address = running.address(protocol).ok_or(io::ErrorKind::AddrNotAvailable)?;
    Ok((address.port(), Declared { running: Arc::new(running), paths }))
}

impl Publisher for Declared {
    async fn publish(&self, path: usize, text: String) -> io::Result<()> {
        self.running.signals().send(self.paths[path], &text).await.map_err(io::Error::other)
    }
}
