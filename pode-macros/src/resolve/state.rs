//! States: only their names mean something to the checks.

use pode_core::model::{Head, State};

use super::Resolver;
use crate::syntax;

impl Resolver<'_> {
    pub(super) fn state(&mut self, head: Head, written: &syntax::State) -> Option<State> {
        Some(State { head, name: self.word(&written.name) })
    }
}
