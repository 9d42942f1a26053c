//! Shared values: each is identified by its type alone.

use super::twice::names_twice;
use super::{Code, Diagnostic};
use crate::model::Server;

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    let states = server.states.iter().map(|state| (&state.head, &state.ty));
    let help = "handlers find a value by its type; put one of them into a struct of its own";
    names_twice(Code::StateTwice, "state", help, states, found);
}
