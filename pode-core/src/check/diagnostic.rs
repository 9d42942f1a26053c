//! A mistake in a declared server.

use crate::model::Place;

/// What is wrong, where, and what to do.
///
/// Messages are in the user's words: lower case, without a full stop, with
/// what they wrote in backticks.
#[derive(Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The smallest thing the user would change.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to type instead, if that is known.
    pub help: Option<String>,
    /// Other places that take part in it, and what each is.
    pub others: Vec<(Place, String)>,
}

impl Diagnostic {
    /// Says what is wrong at a place.
    pub fn new(place: Place, message: impl Into<String>) -> Self {
        Diagnostic { place, message: message.into(), help: None, others: Vec::new() }
    }

    /// Adds what to type instead.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds another place that takes part.
    pub fn other(mut self, place: Place, what: impl Into<String>) -> Self {
        self.others.push((place, what.into()));
        self
    }
}
