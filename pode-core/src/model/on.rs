//! Comings and goings of clients as meant.

use super::{Head, Name, Server, Signal};

/// What is done when a client of a signal comes or goes.
#[derive(Debug)]
pub struct On {
    /// What every declaration has.
    pub head: Head,
    /// Whether it comes or goes.
    pub event: ConnectionEvent,
    /// The name of the signal's constant.
    pub signal: Name,
}

impl On {
    /// Returns the signals of that name, of which at most one is there: the one
    /// that has the same `#[cfg]`, or else all.
    pub fn signals<'server>(&self, server: &'server Server) -> Vec<&'server Signal> {
        let named = server.signals.iter().filter(|signal| signal.name.text == self.signal.text);
        match named.clone().find(|signal| signal.head.meets(&self.head)) {
            Some(signal) => vec![signal],
            None => named.collect(),
        }
    }
}

/// What happens to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// It connects, and may still be refused.
    Connect,
    /// It has gone.
    Disconnect,
}

impl ConnectionEvent {
    /// Both of them.
    pub const ALL: [ConnectionEvent; 2] = [ConnectionEvent::Connect, ConnectionEvent::Disconnect];

    /// Returns the event that is written so.
    pub fn parse(word: &str) -> Option<ConnectionEvent> {
        ConnectionEvent::ALL.into_iter().find(|event| event.as_str() == word)
    }

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            ConnectionEvent::Connect => "connect",
            ConnectionEvent::Disconnect => "disconnect",
        }
    }
}
