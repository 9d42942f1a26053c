//! What must hold in a declared server.
//!
//! Each rule is a plain function from the model to diagnostics, in a file of
//! its own or of its family. Rules judge what is there; they change nothing
//! and read no files. Declarations whose `#[cfg]`s differ are never judged
//! against each other, since they may never meet.

mod certificates;
mod diagnostic;
mod endpoints;
mod files;
mod mounts;
mod routes;
mod signals;
mod suggestion;
mod timers;

pub use diagnostic::Diagnostic;
pub use suggestion::{did_you_mean, help_with_choices};

use crate::model::Server;

/// Returns everything that is wrong between the declarations of a server, rule
/// by rule.
pub fn check(server: &Server) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    endpoints::check(server, &mut found);
    certificates::check(server, &mut found);
    files::check(server, &mut found);
    mounts::check(server, &mut found);
    routes::check(server, &mut found);
    signals::check(server, &mut found);
    timers::check(server, &mut found);
    found
}
