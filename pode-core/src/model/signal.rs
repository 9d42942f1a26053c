//! Signals as meant.

use super::{Argument, Head, Name, Place};
use crate::route_path::RoutePath;

/// A path on which clients listen, and may send; or a family of such paths.
#[derive(Debug)]
pub struct Signal {
    /// What every declaration has.
    pub head: Head,
    /// The name of the constant.
    pub name: Name,
    /// The path; that of a family has parameters.
    pub path: RoutePath,
    /// Where the path stands.
    pub path_place: Place,
    /// The parameters again, with their types, as handlers take them.
    pub arguments: Vec<Argument>,
    /// What becomes of messages from clients; `None` if those only listen.
    pub receiver: Option<Receiver>,
    /// How widely it may be sent.
    pub level: Level,
    /// The endpoints it serves; none means all that speak WebSocket.
    pub endpoints: Vec<Name>,
    /// The capacity of its channel, if it is written as a number.
    pub capacity_messages: Option<(u64, Place)>,
}

impl Signal {
    /// Tells whether the arguments are the parameters of the path, in its
    /// order.
    pub fn takes_its_parameters(&self) -> bool {
        let arguments = self.arguments.iter().map(|argument| &*argument.name.text);
        self.path.parameters().eq(arguments)
    }
}

/// What takes the messages of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// A function or closure of the user's.
    Handler,
    /// The signal itself, which sends them on.
    Rebroadcast,
}

/// How widely a signal may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// To every client, to a group, or to one client.
    #[default]
    Name,
    /// To a group, or to one client.
    Group,
    /// To one client.
    Client,
}

impl Level {
    /// All of them, from wide to narrow.
    pub const ALL: [Level; 3] = [Level::Name, Level::Group, Level::Client];

    /// Returns the level that is written so.
    pub fn parse(word: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.as_str() == word)
    }

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Name => "Name",
            Level::Group => "Group",
            Level::Client => "Client",
        }
    }
}
