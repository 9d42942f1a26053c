//! `=> view "name"`, `=> redirect "/target"` or `=> handler`

use pode_core::check::{Code, help_with_choices};
use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::{Expr, LitStr, Token};

use super::{Argument, at_end, forgotten, mistake, unreadable};
use crate::shown::shown;

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
                if word == "view" && input.peek(syn::token::Brace) {
                    let message = "a view is given the parameters of the path, and nothing else";
                    let help = format!(
                        "options stand before the `=>`; for data, return a struct from a handler: `#[derive(Serialize, View)] #[view({})]`",
                        text.token()
                    );
                    return Err(unreadable(input.span(), message, help));
                }
                return Ok(match word == "view" {
                    true => Action::View { word, template: text },
                    false => Action::Redirect { word, target: text },
                });
            }
            if input.peek2(syn::token::Paren) && input.peek3(Token![;]) {
                return Err(reply_for_handler(input)?);
            }
        }
        if input.peek(LitStr) {
            let text = input.fork().parse::<LitStr>()?.token();
            let message = format!("`{text}` is a text, not a handler");
            let help = format!("write `async |_| text({text})`");
            return Err(mistake(Code::ReplyForHandler, input.span(), message, help));
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
    arguments_behind(&input.fork())?;
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

/// Reports `handler(name: Type)`.
fn arguments_behind(input: ParseStream<'_>) -> syn::Result<()> {
    if !input.peek(syn::Ident) || !input.peek2(syn::token::Paren) {
        return Ok(());
    }
    let name: Ident = input.parse()?;
    let list: Group = input.parse()?;
    let written = Argument::parse_all.parse2(TokenTree::from(list.clone()).into());
    if written.is_ok_and(|written| !written.is_empty()) {
        let help = format!("write `{} => {name};`", shown(&list));
        return Err(unreadable(list.span(), "arguments stand before the `=>`", help));
    }
    Ok(())
}

/// Functions are written in lower case, structs are not.
fn is_handler(path: &syn::Path) -> bool {
    let last = path.segments.last().map(|last| last.ident.to_string());
    last.is_some_and(|last| last.starts_with(|first: char| first.is_lowercase()))
}
