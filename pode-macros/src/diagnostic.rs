//! Mistakes and advice, placed on the user's own tokens.

use pode_core::check::{Code, Diagnostic, text};
use pode_core::model::Place;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

/// All mistakes of one invocation, in the order they were found.
#[derive(Debug, Default)]
pub(crate) struct Mistakes {
    found: Vec<(Span, String)>,
    advice: Vec<Advice>,
}

/// What could be better in a declaration that is sound.
#[derive(Debug)]
struct Advice {
    code: Code,
    text: String,
    span: Span,
    /// The declaration in which it stands, as it is counted.
    declaration: usize,
}

/// Where the places of a model are in the source.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Each with the declaration that it is in.
    spans: Vec<(Span, usize)>,
    declaration: usize,
}

impl Places {
    /// Begins with the places of a declaration.
    pub(crate) fn begin(&mut self, declaration: usize) {
        self.declaration = declaration;
    }

    /// Remembers a place.
    pub(crate) fn add(&mut self, span: Span) -> Place {
        self.spans.push((span, self.declaration));
        Place(self.spans.len() - 1)
    }
}

impl Mistakes {
    /// Tells whether nothing is wrong; advice doesn't count.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Adds a mistake and what to type instead.
    pub(crate) fn add(
        &mut self,
        code: Code,
        span: Span,
        message: impl AsRef<str>,
        help: impl AsRef<str>,
    ) {
        self.found.push((span, text(code, message.as_ref(), help.as_ref())));
    }

    /// Adds what a parser found: one of ours, which says all of it, or one of
    /// Rust's.
    pub(crate) fn add_syntax(&mut self, error: &syn::Error) {
        self.found.extend(error.clone().into_iter().map(|error| {
            let message = error.to_string();
            let ours = message.contains(" [PODE");
            let message = if ours { message } else { format!("{message} [{}]", Code::Unreadable) };
            (error.span(), message)
        }));
    }

    /// Adds what a check found, each of its places as an error of its own.
    pub(crate) fn add_found(&mut self, diagnostic: Diagnostic, places: &Places) {
        let Diagnostic { code, place, message, help, others } = diagnostic;
        let (span, declaration) = places.spans[place.0];
        if code.is_advice() {
            // What rustc says begins with the name, which is the code.
            let text = format!("{message}; {help}");
            self.advice.push(Advice { code, text, span, declaration });
            return;
        }
        self.found.push((span, text(code, &message, &help)));
        let others = others.into_iter();
        self.found.extend(others.map(|(place, what)| (places.spans[place.0].0, what)));
    }

    /// Returns one `compile_error!` for each mistake.
    pub(crate) fn errors(&self) -> TokenStream {
        let errors = self.found.iter().map(|(span, message)| {
            quote_spanned! { *span=> ::core::compile_error! { #message } }
        });
        errors.collect()
    }

    /// Returns what makes rustc warn: a macro can't, but a use of something
    /// deprecated does. `attributes` gives those of a declaration.
    pub(crate) fn warnings(&self, attributes: impl Fn(usize) -> TokenStream) -> TokenStream {
        let warnings = self.advice.iter().map(|Advice { code, text, span, declaration }| {
            let attributes = attributes(*declaration);
            let name = Ident::new(&code.to_string(), *span);
            // What is used bears the user's span; the rest is only the macro's.
            quote! {
                #attributes
                const _: () = {
                    #[deprecated(note = #text)]
                    const #name: () = ();
                    #name
                };
            }
        });
        warnings.collect()
    }
}
