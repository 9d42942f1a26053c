//! A declared server, with a backplane and without.

use std::io;
use std::sync::Arc;

use pode::{Protocol, RunningServer, SendError, Server, SignalTarget, level};

use super::{Relay, Unsent};

/// Where the backplane is, and under which name.
pub(super) struct Settings {
    url: String,
    name: String,
}

mod carried {
    use pode::prelude::*;

    use super::Settings;

    pode_server! {
        /// Relays messages to other nodes.
        pub(super) server carried(settings: Settings);
        backplane redis settings.url { name: settings.name };
        endpoint ws "127.0.0.1:0";
        signal PATH: String = "/0";
    }
}

mod kept {
    use pode::prelude::*;

    use super::Settings;

    pode_server! {
        /// Relays messages to other nodes, and keeps them.
        pub(super) server kept(settings: Settings);
        backplane redis settings.url { name: settings.name };
        endpoint inner http "127.0.0.1:0";
        endpoint ws "127.0.0.1:0";
        operations { endpoint: inner };
        signal PATH: String = "/0" { history_messages: 10_000 };
    }
}

mod latest {
    use pode::prelude::*;

    use super::Settings;

    pode_server! {
        /// Relays messages to other nodes, and keeps the last one of each key.
        pub(super) server latest(settings: Settings);
        backplane redis settings.url { name: settings.name, kept_messages: 1_000 };
        endpoint ws "127.0.0.1:0";
        signal PATH: String = "/0" { history_messages: 1_000, latest_by: |text| key(text) };
    }

    /// One of a thousand keys, by when the text was made.
    fn key(text: &str) -> String {
        let digits = text.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok());
        digits.map_or_else(String::new, |number| format!("key-{}", number % 1_000))
    }
}

mod unkeyed {
    use pode::prelude::*;

    use super::Settings;

    pode_server! {
        /// The same without keys.
        pub(super) server unkeyed(settings: Settings);
        backplane redis settings.url { name: settings.name, kept_messages: 1_000 };
        endpoint ws "127.0.0.1:0";
        signal PATH: String = "/0" { history_messages: 1_000 };
    }
}

mod alone {
    use pode::prelude::*;

    pode_server! {
        /// Has no other nodes.
        pub(super) server alone;
        endpoint ws "127.0.0.1:0";
        signal PATH: String = "/0";
    }
}

/// What all of these servers have.
pub(super) trait Path:
    SignalTarget<Out = String, Level = level::Name> + Copy + Send + Sync + 'static
{
}

impl<S> Path for S where
    S: SignalTarget<Out = String, Level = level::Name> + Copy + Send + Sync + 'static
{
}

#[derive(Clone)]
pub(super) struct Declared<S> {
    running: Arc<RunningServer>,
    path: S,
}

pub(super) async fn start(backplane: Option<(&str, &str)>) -> io::Result<Declared<impl Path>> {
    match backplane {
        Some((url, name)) => run(carried::carried(settings(url, name)), carried::PATH).await,
        None => run(alone::alone(), alone::PATH).await,
    }
}

pub(super) async fn start_kept(url: &str, name: &str) -> io::Result<Declared<impl Path>> {
    run(kept::kept(settings(url, name)), kept::PATH).await
}

pub(super) async fn start_latest(url: &str, name: &str) -> io::Result<Declared<impl Path>> {
    run(latest::latest(settings(url, name)), latest::PATH).await
}

pub(super) async fn start_unkeyed(url: &str, name: &str) -> io::Result<Declared<impl Path>> {
    run(unkeyed::unkeyed(settings(url, name)), unkeyed::PATH).await
}

fn settings(url: &str, name: &str) -> Settings {
    Settings { url: url.to_owned(), name: name.to_owned() }
}

async fn run<S>(server: Server, path: S) -> io::Result<Declared<S>> {
    let running = server.start().await.map_err(io::Error::other)?;
    Ok(Declared { running: Arc::new(running), path })
}

impl<S: Path> Relay for Declared<S> {
    fn ports(&self) -> [u16; 2] {
        let port = |protocol| self.running.address(protocol).map_or(0, |address| address.port());
        [Protocol::Ws, Protocol::Http].map(port)
    }

    async fn put(&self, text: String) -> io::Result<()> {
        let sent = match self.running.signals().try_send(self.path, &text) {
            Err(SendError::Full { .. }) => self.running.signals().send(self.path, &text).await,
            sent => sent,
        };
        sent.map_err(io::Error::other)
    }

    async fn send(&self, text: String) -> Result<(), Unsent> {
        match self.running.signals().send(self.path, &text).await {
            Ok(()) => Ok(()),
            Err(SendError::Unknown { .. }) => Err(Unsent::Unknown),
            Err(_) => Err(Unsent::Never),
        }
    }

    /// One that is sent now comes behind all others.
    async fn settle(&self, _: u64) -> io::Result<()> {
        let settled = "settled".to_owned();
        self.running.signals().send(self.path, &settled).await.map_err(io::Error::other)
    }

    fn position(&self) -> Option<String> {
        self.running.signals().position(self.path).map(|position| position.to_string())
    }
}
