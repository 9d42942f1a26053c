//! Names that are declared twice.

use super::{Code, Diagnostic};
use crate::model::{Head, Name};

/// Reports each name that an earlier declaration of the noun has.
pub(super) fn names_twice<'server>(
    code: Code,
    noun: &str,
    help: &str,
    declared: impl Iterator<Item = (&'server Head, &'server Name)>,
    found: &mut Vec<Diagnostic>,
) {
    let mut earlier: Vec<(&Head, &Name)> = Vec::new();
    for (head, name) in declared {
        let first =
            earlier.iter().find(|(other, first)| first.text == name.text && other.meets(head));
        if let Some((_, first)) = first {
            let message = format!("{noun} `{}` is declared twice", name.text);
            found.push(
                Diagnostic::new(code, name.place, message, help)
                    .other(first.place, "first declared here"),
            );
        }
        earlier.push((head, name));
    }
}
