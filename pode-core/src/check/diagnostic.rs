//! A mistake in a declared server.

use super::Code;
use crate::model::Place;

/// A mistake: its message, its place, and its correction.
///
/// Messages use the user's words: lower case, without a full stop, with the
/// source's words in backticks.
#[derive(Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The rule that is violated.
    pub code: Code,
    /// The smallest part of the source that the user would change.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to type instead.
    pub help: String,
    /// Other places that are involved, each with a note.
    pub others: Vec<(Place, String)>,
}

impl Diagnostic {
    /// Makes a diagnostic at a place, with the text to type instead.
    pub fn new(
        code: Code,
        place: Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let (message, help) = (message.into(), help.into());
        Diagnostic { code, place, message, help, others: Vec::new() }
    }

    /// Adds another place that is involved.
    pub fn other(mut self, place: Place, what: impl Into<String>) -> Self {
        self.others.push((place, what.into()));
        self
    }
}

/// Returns a message as the compiler shows it.
///
/// ```
/// # use pode_core::check::{Code, text};
///
/// let text = text(Code::StateTwice, "state `Counter` is declared twice", "remove one");
/// assert_eq!(text, "state `Counter` is declared twice [PODE009]\n\nhelp: remove one");
/// ```
pub fn text(code: Code, message: &str, help: &str) -> String {
    format!("{message} [{code}]\n\nhelp: {help}")
}
