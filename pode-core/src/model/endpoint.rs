//! Endpoints as meant.

use super::{Head, Name, Place};
use crate::{Bind, Protocol};

/// One address and what is spoken there.
#[derive(Debug)]
pub struct Endpoint {
    /// What every declaration has.
    pub head: Head,
    /// The name by which routes and signals choose it.
    pub name: Option<Name>,
    /// What it speaks.
    pub protocol: Protocol,
    /// Where the protocol stands.
    pub protocol_place: Place,
    /// Where it listens; `None` if only the run time knows.
    pub bind: Option<Bind>,
    /// Where the address stands.
    pub address_place: Place,
}
