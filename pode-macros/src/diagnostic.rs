//! Mistakes, placed on the user's own tokens.

use pode_core::check::Diagnostic;
use pode_core::model::Place;
use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

/// All mistakes of one invocation, in the order they were found.
#[derive(Debug, Default)]
pub(crate) struct Mistakes {
    found: Vec<(Span, String)>,
}

/// Where the places of a model are in the source.
#[derive(Debug, Default)]
pub(crate) struct Places {
    spans: Vec<Span>,
}

impl Places {
    /// Remembers a place.
    pub(crate) fn add(&mut self, span: Span) -> Place {
        self.spans.push(span);
        Place(self.spans.len() - 1)
    }
}

impl Mistakes {
    /// Adds a mistake and what to type instead.
    pub(crate) fn add(&mut self, span: Span, message: impl AsRef<str>, help: impl AsRef<str>) {
        self.found.push((span, format!("{}\n\nhelp: {}", message.as_ref(), help.as_ref())));
    }

    /// Adds what the parser of Rust found.
    pub(crate) fn add_syntax(&mut self, error: &syn::Error) {
        let each = error.clone().into_iter();
        self.found.extend(each.map(|error| (error.span(), error.to_string())));
    }

    /// Adds what a check found, each of its places as an error of its own.
    pub(crate) fn add_found(&mut self, diagnostic: Diagnostic, places: &Places) {
        let Diagnostic { place, message, help, others } = diagnostic;
        let message = match help {
            Some(help) => format!("{message}\n\nhelp: {help}"),
            None => message,
        };
        self.found.push((places.spans[place.0], message));
        let others = others.into_iter();
        self.found.extend(others.map(|(place, what)| (places.spans[place.0], what)));
    }

    /// Returns one `compile_error!` for each mistake.
    pub(crate) fn into_tokens(self) -> TokenStream {
        let errors = self.found.into_iter().map(|(span, message)| {
            quote_spanned! { span=> ::core::compile_error! { #message } }
        });
        errors.collect()
    }
}
