//! Operations: declared once, at an endpoint for HTTP.

use std::slice::from_ref;

use super::endpoints::unknown_names;
use super::{Code, Diagnostic};
use crate::model::Server;

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    for (index, later) in server.operations.iter().enumerate() {
        found.extend(unknown_names(server, from_ref(&later.endpoint), "operation", |endpoint| {
            !endpoint.protocol.serves_signals()
        }));
        let mut earlier = server.operations[..index].iter();
        if let Some(first) = earlier.find(|other| other.head.meets(&later.head)) {
            let message = "`operations` is declared twice";
            let help = "remove one; a single endpoint tells of the whole server";
            found.push(
                Diagnostic::new(Code::OperationsTwice, later.head.noun, message, help)
                    .other(first.head.noun, "first declared here"),
            );
        }
    }
}
