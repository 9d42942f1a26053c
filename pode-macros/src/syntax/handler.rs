//! `=> view "name"` or `=> handler`

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::parse::ParseStream;
use syn::{LitStr, Token};

use super::{at_end, forgotten};

/// What stands behind the arrow.
pub(crate) enum Action {
    /// The declaration's own word and a template.
    View { word: Ident, template: LitStr },
    /// Raw tokens, whether or not they are an expression.
    Handler(TokenStream),
}

impl Action {
    /// Parses the arrow and what follows; `title` is what a message calls the
    /// route.
    pub(super) fn parse(input: ParseStream<'_>, title: &str) -> syn::Result<Self> {
        let missing = || {
            let help = "help: add `=> handler`, an async fn or closure taking a `WebEvent`";
            input.error(format!("route `{title}` has no handler\n\n{help}"))
        };
        if !input.peek(Token![=>]) {
            let ends = at_end(input)
                || forgotten::begins_declaration(&input.fork().parse::<TokenStream>()?);
            return Err(if ends { missing() } else { input.error("expected `=>`") });
        }
        input.parse::<Token![=>]>()?;
        if at_end(input) {
            return Err(missing());
        }
        let word = input.fork().parse::<Ident>().ok().filter(|word| word == "view");
        if let Some(word) = word {
            if input.peek2(LitStr) {
                input.parse::<Ident>()?;
                return Ok(Action::View { word, template: input.parse()? });
            }
            if input.peek2(syn::token::Paren) && input.peek3(Token![;]) {
                return Err(reply_for_handler(input)?);
            }
        }
        Ok(Action::Handler(raw(input)?))
    }
}

/// `view("index")` makes a reply; a route wants what makes replies.
fn reply_for_handler(input: ParseStream<'_>) -> syn::Result<syn::Error> {
    let word: Ident = input.parse()?;
    let content;
    syn::parenthesized!(content in input);
    let template: TokenStream = content.parse()?;
    let message = format!(
        "`view({template})` is a reply, not a handler\n\n\
         help: write `view {template}` or `async |_| view({template})`"
    );
    Ok(syn::Error::new(word.span(), message))
}

/// Takes the tokens up to the `;`, or to where one was forgotten.
pub(super) fn raw(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut handler = TokenStream::new();
    while !at_end(input) {
        if !handler.is_empty()
            && forgotten::begins_declaration(&input.fork().parse::<TokenStream>()?)
            && syn::parse2::<syn::Expr>(handler.clone()).is_ok()
        {
            break;
        }
        handler.extend([input.parse::<TokenTree>()?]);
    }
    Ok(handler)
}
