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

/// A possible improvement of a valid declaration.
#[derive(Debug)]
struct Advice {
    code: Code,
    text: String,
    span: Span,
    /// The index of its declaration.
    declaration: usize,
}

/// The source positions of a model's places.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Each with the index of its declaration.
    spans: Vec<(Span, usize)>,
    declaration: usize,
}

impl Places {
    /// Begins the places of a declaration.
    pub(crate) fn begin(&mut self, declaration: usize) {
        self.declaration = declaration;
    }

    /// Records a place.
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

    /// Adds a parser's error: one of this crate's, which is complete, or one of
    /// Rust's.
    pub(crate) fn add_syntax(&mut self, error: &syn::Error) {
        self.found.extend(error.clone().into_iter().map(|error| {
            let message = error.to_string();
            let ours = message.contains(" [PODE");
            let message = if ours { message } else { format!("{message} [{}]", Code::Unreadable) };
            (error.span(), message)
        }));
    }

    /// Adds a check's diagnostic, with an error for each of its places.
    pub(crate) fn add_found(&mut self, diagnostic: Diagnostic, places: &Places) {
        let Diagnostic { code, place, message, help, others } = diagnostic;
        let (span, declaration) = places.spans[place.0];
        if code.is_advice() {
            // rustc's message begins with the name, which is the code.
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

    /// Returns code that makes rustc warn: a macro can't warn itself, but the
    /// use of a deprecated item does. `attributes` returns those of a
    /// declaration.
    pub(crate) fn warnings(&self, attributes: impl Fn(usize) -> TokenStream) -> TokenStream {
        let warnings = self.advice.iter().map(|Advice { code, text, span, declaration }| {
            let attributes = attributes(*declaration);
            let name = Ident::new(&code.to_string(), *span);
            // The used name has the user's span; the rest has the macro's.
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
