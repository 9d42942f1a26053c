//! `=> view "name"`, `=> redirect "/target"` or `=> handler`

use pode_core::check::Code;
use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::parse::ParseStream;
use syn::{LitStr, Token};

use super::{at_end, forgotten, mistake, unreadable};

/// The part after the arrow.
pub(crate) enum Action {
    /// The declaration's own word and a template.
    View { word: Ident, template: LitStr },
    /// The declaration's own word and another address.
    Redirect { word: Ident, target: LitStr },
    /// Raw tokens, whether or not they are an expression.
    Handler(TokenStream),
}

impl Action {
    /// Parses the arrow and what follows; `title` is the route's name in
    /// messages.
    pub(super) fn parse(input: ParseStream<'_>, title: &str) -> syn::Result<Self> {
        arrow(input, &format!("route `{title}`"), "a `WebEvent`")?;
        let word = input.fork().parse::<Ident>().ok();
        if word.is_some_and(|word| word == "view" || word == "redirect") {
            if input.peek2(LitStr) {
                let (word, text): (Ident, LitStr) = (input.parse()?, input.parse()?);
                return Ok(match word == "view" {
                    true => Action::View { word, template: text },
                    false => Action::Redirect { word, target: text },
                });
            }
            if input.peek2(syn::token::Paren) && input.peek3(Token![;]) {
                return Err(reply_for_handler(input)?);
            }
        }
        Ok(Action::Handler(raw(input)?))
    }
}

/// Parses the arrow and a handler; `title` is the declaration's name in
/// messages, and `takes` what such a handler takes.
pub(super) fn parse(input: ParseStream<'_>, title: &str, takes: &str) -> syn::Result<TokenStream> {
    arrow(input, title, takes)?;
    raw(input)
}

/// Skips the tokens in a handler's position, up to the end of the declaration.
pub(super) fn skip(input: ParseStream<'_>) -> syn::Result<()> {
    if !forgotten::begins_declaration(&input.fork().parse::<TokenStream>()?) {
        raw(input)?;
    }
    Ok(())
}

/// Takes the arrow, which something must follow.
fn arrow(input: ParseStream<'_>, title: &str, takes: &str) -> syn::Result<()> {
    let missing = || {
        let help = format!("add `=> handler`, an async fn or closure taking {takes}");
        let message = format!("{title} has no handler");
        mistake(Code::MissingHandler, input.span(), message, help)
    };
    if !input.peek(Token![=>]) {
        let ends =
            at_end(input) || forgotten::begins_declaration(&input.fork().parse::<TokenStream>()?);
        return Err(if ends {
            missing()
        } else {
            unreadable(input.span(), "expected `=>`", "write `=> handler` at the end")
        });
    }
    input.parse::<Token![=>]>()?;
    if at_end(input) { Err(missing()) } else { Ok(()) }
}

/// `view("index")` makes a reply; a route requires a function that makes
/// replies.
fn reply_for_handler(input: ParseStream<'_>) -> syn::Result<syn::Error> {
    let word: Ident = input.parse()?;
    let content;
    syn::parenthesized!(content in input);
    let text: TokenStream = content.parse()?;
    let message = format!("`{word}({text})` is a reply, not a handler");
    let help = format!("write `{word} {text}` or `async |_| {word}({text})`");
    Ok(mistake(Code::ReplyForHandler, word.span(), message, help))
}

/// Takes the tokens up to the `;`, or up to the next declaration if it was
/// forgotten.
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
