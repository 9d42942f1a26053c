//! The model of handlers for clients that connect or disconnect.

use super::{Head, Name, Server, Signal};

/// A handler that runs when a client of a signal connects or disconnects.
#[derive(Debug)]
pub struct On {
    /// The parts that every declaration has.
    pub head: Head,
    /// Whether the client connects or disconnects.
    pub event: ConnectionEvent,
    /// The name of the signal's constant.
    pub signal: Name,
}

impl On {
    /// Returns the signals of that name, of which at most one exists in a
    /// build: the one that has the same `#[cfg]`, or else all.
    pub fn signals<'server>(&self, server: &'server Server) -> Vec<&'server Signal> {
        let named = server.signals.iter().filter(|signal| signal.name.text == self.signal.text);
        match named.clone().find(|signal| signal.head.meets(&self.head)) {
            Some(signal) => vec![signal],
            None => named.collect(),
        }
    }
}

/// An event of a client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// It connects, and may still be refused.
    Connect,
    /// It has disconnected.
    Disconnect,
}

impl ConnectionEvent {
    /// Both events.
    pub const ALL: [ConnectionEvent; 2] = [ConnectionEvent::Connect, ConnectionEvent::Disconnect];

    /// Returns the event of this word.
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
