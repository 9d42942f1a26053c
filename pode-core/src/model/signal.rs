//! The model of signals.

use super::{Argument, Head, Name, Place};
use crate::route_path::RoutePath;

/// A path on which clients listen, and may send; or a family of such paths.
#[derive(Debug)]
pub struct Signal {
    /// The parts that every declaration has.
    pub head: Head,
    /// The name of the constant.
    pub name: Name,
    /// The path; that of a family has parameters.
    pub path: RoutePath,
    /// Where the path stands.
    pub path_place: Place,
    /// The parameters again, with their types, as handlers take them.
    pub arguments: Vec<Argument>,
    /// How messages from clients are handled; `None` if clients only listen.
    pub receiver: Option<Receiver>,
    /// The signal's widest audience.
    pub level: Level,
    /// The endpoints it serves; empty means all that serve WebSocket.
    pub endpoints: Vec<Name>,
    /// The capacity of its channel, if it is written as a number.
    pub capacity_messages: Option<(u64, Place)>,
    /// How many messages of a path are kept; `None` if that isn't written as a
    /// number.
    pub history_messages: Option<u64>,
    /// Options that need messages to be kept.
    pub history_needs: Vec<HistoryNeed>,
    /// Of how many that are present each is told; `None` if that isn't written as a number.
    pub presence: Option<u64>,
    /// Where it is said for how long clients that are gone are present.
    pub presence_grace: Option<Place>,
    /// Where it is said how the key of a message is found, if messages have keys.
    pub latest_by: Option<Place>,
}

/// An option that needs messages to be kept.
#[derive(Debug)]
pub struct HistoryNeed {
    /// Its name.
    pub option: Name,
    /// How many it needs.
    pub messages: u64,
}

impl Signal {
    /// Tells whether the arguments are the parameters of the path, in its
    /// order.
    pub fn takes_its_parameters(&self) -> bool {
        let arguments = self.arguments.iter().map(|argument| &*argument.name.text);
        self.path.parameters().eq(arguments)
    }
}

/// The receiver of clients' messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// A function or closure of the user's.
    Handler,
    /// The signal itself, which rebroadcasts them.
    Rebroadcast,
}

/// The widest audience of a signal.
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
    /// All levels, from wide to narrow.
    pub const ALL: [Level; 3] = [Level::Name, Level::Group, Level::Client];

    /// Returns the level of this word.
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
