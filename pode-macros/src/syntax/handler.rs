//! `=> view "name"`, `=> redirect "/target"` or `=> handler`

use pode_core::check::{Code, help_with_choices};
use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::parse::ParseStream;
use syn::{Expr, LitStr, Token};

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
        if let Some(word) = word.as_ref().filter(|_| input.peek2(LitStr))
            && word != "view"
            && word != "redirect"
        {
            let help =
                help_with_choices(&word.to_string(), &["view", "redirect"], "routes answer by");
            return Err(unreadable(
                word.span(),
                format!("a route doesn't answer by `{word}`"),
                help,
            ));
        }
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
    if forgotten::next_noun(input.cursor()).is_none() {
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
        let ends = at_end(input) || forgotten::next_noun(input.cursor()).is_some();
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

/// Takes the tokens of an expression; one that can't be parsed ends at the `;`,
/// or at the next declaration if it was forgotten.
pub(super) fn raw(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    // Most handlers are one word, which needs no parser.
    if input.peek(syn::Ident) && input.peek2(Token![;]) {
        return Ok(input.parse::<TokenTree>()?.into());
    }
    let behind = input.fork();
    let parsed = behind.parse::<Expr>();
    // `handler { option: value }` looks like a value of a struct.
    let has_options = matches!(&parsed, Ok(Expr::Struct(written)) if is_handler(&written.path));
    let mut handler = TokenStream::new();
    let ends = |input: ParseStream<'_>| match parsed {
        Ok(_) if has_options => input.peek(syn::token::Brace),
        Ok(_) => input.cursor() == behind.cursor() || at_end(input),
        Err(_) => at_end(input) || forgotten::next_noun(input.cursor()).is_some(),
    };
    while !ends(input) {
        handler.extend([input.parse::<TokenTree>()?]);
    }
    Ok(handler)
}

/// Functions are written in lower case, structs are not.
fn is_handler(path: &syn::Path) -> bool {
    let last = path.segments.last().map(|last| last.ident.to_string());
    last.is_some_and(|last| last.starts_with(|first: char| first.is_lowercase()))
}
