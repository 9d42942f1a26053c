//! Mistakes and advice, placed on the user's own tokens.

use pode_core::check::{Code, Diagnostic, text};
use pode_core::model::Place;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Attribute;

/// All mistakes of one invocation, in the order they were found.
#[derive(Debug, Default)]
pub(crate) struct Mistakes {
    found: Vec<Mistake>,
    advice: Vec<Advice>,
}

/// A mistake at a token.
#[derive(Debug)]
struct Mistake {
    span: Span,
    text: String,
    /// The `#[cfg]`s under which it is one.
    cfgs: TokenStream,
}

/// A possible improvement of a valid declaration.
#[derive(Debug)]
struct Advice {
    code: Code,
    text: String,
    span: Span,
    /// The index of its declaration; `None` is the head.
    declaration: Option<usize>,
}

/// The source positions of a model's places.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Each with the index of its declaration; the head has none.
    spans: Vec<(Span, Option<usize>)>,
    declaration: Option<usize>,
}

impl Mistake {
    fn new(span: Span, text: String) -> Mistake {
        Mistake { span, text, cfgs: TokenStream::new() }
    }
}

impl Places {
    /// Begins the places of a declaration.
    pub(crate) fn begin(&mut self, declaration: usize) {
        self.declaration = Some(declaration);
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

    /// Returns how many there are, to find out whether there are more later.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    /// Adds a mistake and what to type instead.
    pub(crate) fn add(
        &mut self,
        code: Code,
        span: Span,
        message: impl AsRef<str>,
        help: impl AsRef<str>,
    ) {
        self.add_where(&[], code, span, message, help);
    }

    /// Adds a mistake that is one only where the `#[cfg]`s among the attributes
    /// hold.
    pub(crate) fn add_where(
        &mut self,
        attributes: &[Attribute],
        code: Code,
        span: Span,
        message: impl AsRef<str>,
        help: impl AsRef<str>,
    ) {
        let cfgs = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
        let cfgs = cfgs.map(ToTokens::to_token_stream).collect();
        let text = text(code, message.as_ref(), help.as_ref());
        self.found.push(Mistake { span, text, cfgs });
    }

    /// Adds a parser's error: one of this crate's, which is complete, or one of
    /// Rust's.
    pub(crate) fn add_syntax(&mut self, error: &syn::Error) {
        self.found.extend(error.clone().into_iter().map(|error| {
            let message = error.to_string();
            let ours = message.contains(" [PODE");
            let message = if ours { message } else { format!("{message} [{}]", Code::Unreadable) };
            Mistake::new(error.span(), message)
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
        self.found.push(Mistake::new(span, text(code, &message, &help)));
        let others = others.into_iter();
        self.found.extend(others.map(|(place, what)| Mistake::new(places.spans[place.0].0, what)));
    }

    /// Returns one `compile_error!` for each mistake.
    pub(crate) fn errors(&self) -> TokenStream {
        let errors = self.found.iter().map(|Mistake { span, text, cfgs }| {
            quote_spanned! { *span=> #cfgs ::core::compile_error! { #text } }
        });
        errors.collect()
    }

    /// Returns code that makes rustc warn: a macro can't warn itself, but the
    /// use of a deprecated item does. `attributes` returns those of a
    /// declaration.
    pub(crate) fn warnings(&self, attributes: impl Fn(usize) -> TokenStream) -> TokenStream {
        let warnings = self.advice.iter().map(|Advice { code, text, span, declaration }| {
            // Those of the head are around all this.
            let attributes = declaration.map(&attributes);
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
