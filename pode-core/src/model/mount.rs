//! The model of mounted filters.

use super::{Head, Place};
use crate::route_path::RoutePath;

/// A warp filter of the user's that answers under a prefix.
#[derive(Debug)]
pub struct Mount {
    /// The parts that every declaration has.
    pub head: Head,
    /// The path under which it answers; it has no parameters, and at least one
    /// segment.
    pub prefix: RoutePath,
    /// Where the prefix stands.
    pub prefix_place: Place,
}
