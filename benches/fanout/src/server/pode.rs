//! A declared server: default options, and `send` to publish.

use std::io;
use std::sync::Arc;

use pode::{Protocol, RunningServer};

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

mod many_paths {
    use pode::prelude::*;

    include!(concat!(env!("OUT_DIR"), "/many_paths.rs"));
}

#[derive(Clone)]
pub(super) struct Declared {
    running: Arc<RunningServer>,
    many: bool,
}

pub(super) async fn start(paths: usize) -> io::Result<(u16, Declared)> {
    let many = paths > 1;
    let server = if many { many_paths::many_paths() } else { one_path::one_path() };
    let running = server.start().await.map_err(io::Error::other)?;
    let address = running.address(Protocol::Ws).ok_or(io::ErrorKind::AddrNotAvailable)?;
    Ok((address.port(), Declared { running: Arc::new(running), many }))
}

impl Publisher for Declared {
    async fn publish(&self, path: usize, text: String) -> io::Result<()> {
        let signal = if self.many { many_paths::PATHS[path] } else { one_path::PATH };
        self.running.signals().send(signal, &text).await.map_err(io::Error::other)
    }
}
