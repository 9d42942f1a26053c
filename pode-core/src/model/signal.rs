//! Signals as meant.

use super::{Head, Name, Place};
use crate::RoutePath;

/// A path on which clients listen.
#[derive(Debug)]
pub struct Signal {
    /// What every declaration has.
    pub head: Head,
    /// The name of the constant.
    pub name: Name,
    /// The path; it has no parameters.
    pub path: RoutePath,
    /// Where the path stands.
    pub path_place: Place,
    /// The endpoints it serves; none means all that speak WebSocket.
    pub endpoints: Vec<Name>,
    /// The capacity of its channel, if it is written as a number.
    pub capacity_messages: Option<(u64, Place)>,
}
