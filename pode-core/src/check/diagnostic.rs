//! A mistake in a declared server.

use super::Code;
use crate::model::Place;

/// What is wrong, where, and what to do.
///
/// Messages are in the user's words: lower case, without a full stop, with
/// what they wrote in backticks.
#[derive(Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The rule that isn't kept.
    pub code: Code,
    /// The smallest thing the user would change.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to type instead.
    pub help: String,
    /// Other places that take part in it, and what each is.
    pub others: Vec<(Place, String)>,
}

impl Diagnostic {
    /// Says what is wrong at a place, and what to type instead.
    pub fn new(
        code: Code,
        place: Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let (message, help) = (message.into(), help.into());
        Diagnostic { code, place, message, help, others: Vec::new() }
    }

    /// Adds another place that takes part.
    pub fn other(mut self, place: Place, what: impl Into<String>) -> Self {
        self.others.push((place, what.into()));
        self
    }
}

/// Returns a message as the compiler shows it.
///
/// ```
/// use pode_core::check::{Code, text};
///
/// let text = text(Code::StateTwice, "state `Counter` is declared twice", "remove one");
/// assert_eq!(text, "state `Counter` is declared twice [PODE009]\n\nhelp: remove one");
/// ```
pub fn text(code: Code, message: &str, help: &str) -> String {
    format!("{message} [{code}]\n\nhelp: {help}")
}
