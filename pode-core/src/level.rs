//! Broadcast levels: how widely a signal may be sent.
//!
//! A level is a parameter of a signal's type, so a `send` that reaches further
//! than the signal allows doesn't compile. They are those of Pode's
//! `Set-PodeSignalBroadcastLevel`.

/// A message may go to every client, to a group, or to one client; the default.
#[derive(Clone, Copy, Debug)]
pub enum Name {}

/// A message goes to a group, or to one client.
#[derive(Clone, Copy, Debug)]
pub enum Group {}

/// A message goes to one client.
#[derive(Clone, Copy, Debug)]
pub enum Client {}

/// One of the three levels.
pub trait Level: sealed::Level {}

impl Level for Name {}
impl Level for Group {}
impl Level for Client {}

/// Replaces a level where a message already names its group or client.
#[derive(Clone, Copy, Debug)]
pub enum Addressed {}

/// Bound for sending a message as it is: a level at which it may go to every
/// client, or an address.
#[diagnostic::on_unimplemented(
    message = "the level of this signal is `{Self}`: it can't be sent to everyone",
    label = "this goes to every client",
    note = "say whom it is for: `.to_group(group)` or `.to_client(id)`, as the level allows"
)]
pub trait Sendable: sealed::Sendable {}

impl Sendable for Name {}
impl Sendable for Addressed {}

/// A level at which a message may go to a group of clients.
#[diagnostic::on_unimplemented(
    message = "the level of this signal is `{Self}`: it can't be sent to a group",
    label = "this goes to a group",
    note = "name the one client that it is for: `.to_client(id)`"
)]
pub trait ReachesGroups: Level {}

impl ReachesGroups for Name {}
impl ReachesGroups for Group {}

mod sealed {
    pub trait Level {}

    impl Level for super::Name {}
    impl Level for super::Group {}
    impl Level for super::Client {}

    pub trait Sendable {}

    impl Sendable for super::Name {}
    impl Sendable for super::Addressed {}
}
