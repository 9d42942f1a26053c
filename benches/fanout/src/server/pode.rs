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

mod one_path_kept {
    use pode::prelude::*;

    pode_server! {
        /// Sends on one path, and keeps what is sent.
        pub(super) server one_path_kept;
        endpoint ws "127.0.0.1:0";
        signal PATH: String = "/0" { history_messages: 10_000 };
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

mod a_family {
    use pode::prelude::*;

    pode_server! {
        /// Sends to rooms: the paths of a family.
        pub(super) server a_family;
        endpoint ws "127.0.0.1:0";
        signal ROOM: String = "/:room" (room: usize);
    }
}

mod many_paths {
    use pode::prelude::*;

    include!(concat!(env!("OUT_DIR"), "/many_paths.rs"));
}

mod many_paths_kept {
    use pode::prelude::*;

    include!(concat!(env!("OUT_DIR"), "/many_paths_kept.rs"));
}

/// The group of all clients that the handler admits.
const GROUP: &str = "crew";

#[derive(Clone)]
pub(super) struct Declared {
    running: Arc<RunningServer>,
    target: Target,
    dialect: Option<&'static str>,
}

/// What a message is sent to.
#[derive(Clone, Copy)]
enum Target {
    Paths(&'static [SignalPath<String>]),
    Group,
    Rooms,
}

/// Starts the declared server for this many paths. It makes its own self-signed
/// certificate.
pub(super) async fn start(paths: usize, secret: bool) -> io::Result<(u16, Declared)> {
    let (server, protocol, paths): (_, _, &[_]) = match (paths, secret) {
        (1, false) => (one_path::one_path(), Protocol::Ws, &[one_path::PATH]),
        (1, true) => (one_path_secret::one_path_secret(), Protocol::Wss, &[one_path_secret::PATH]),
        (_, false) => (many_paths::many_paths(), Protocol::Ws, &many_paths::PATHS),
        (_, true) => return Err(io::Error::other("no server with many paths is behind TLS")),
    };
    run(server, protocol, Target::Paths(paths)).await
}

/// As [`start`], for clients that speak `pode.v1`.
pub(super) async fn start_for_v1(paths: usize) -> io::Result<(u16, Declared)> {
    let (port, declared) = start(paths, false).await?;
    Ok((port, Declared { dialect: Some("pode.v1"), ..declared }))
}

/// Starts the declared server for this many paths that keeps messages.
pub(super) async fn start_with_history(paths: usize) -> io::Result<(u16, Declared)> {
    let (server, paths): (_, &[_]) = match paths {
        1 => (one_path_kept::one_path_kept(), &[one_path_kept::PATH]),
        _ => (many_paths_kept::many_paths(), &many_paths_kept::PATHS),
    };
    run(server, Protocol::Ws, Target::Paths(paths)).await
}

/// Starts the declared server whose clients are in a group.
pub(super) async fn start_in_a_group() -> io::Result<(u16, Declared)> {
    run(in_a_group::in_a_group(), Protocol::Ws, Target::Group).await
}

/// Starts the declared server whose paths are those of a family.
pub(super) async fn start_with_rooms() -> io::Result<(u16, Declared)> {
    run(a_family::a_family(), Protocol::Ws, Target::Rooms).await
}

async fn run(server: Server, protocol: Protocol, target: Target) -> io::Result<(u16, Declared)> {
    let running = server.start().await.map_err(io::Error::other)?;
    let address = running.address(protocol).ok_or(io::ErrorKind::AddrNotAvailable)?;
    Ok((address.port(), Declared { running: Arc::new(running), target, dialect: None }))
}

impl Publisher for Declared {
    async fn publish(&self, path: usize, text: String) -> io::Result<()> {
        let signals = self.running.signals();
        let sent = match self.target {
            Target::Paths(paths) => signals.send(paths[path], &text).await,
            Target::Group => signals.send(in_a_group::PATH, &text).to_group(GROUP).await,
            Target::Rooms => signals.send(a_family::ROOM.at(&path), &text).await,
        };
        sent.map_err(io::Error::other)
    }

    fn dialect(&self) -> Option<&'static str> {
        self.dialect
    }

    fn position(&self) -> Option<String> {
        let Target::Paths(&[path]) = self.target else { return None };
        Some(format!("resume={}", self.running.signals().position(path)?))
    }
}
