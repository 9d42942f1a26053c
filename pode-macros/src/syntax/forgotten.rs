//! Semicolons that were forgotten between two declarations.
//!
//! Without help, the next declaration would be taken for the rest of this
//! one's handler, and rustc would say something odd about it.

use pode_core::check::Code;
use proc_macro2::{TokenStream, TokenTree};
use syn::Token;
use syn::parse::ParseStream;

use super::{NOUNS, mistake};
use crate::diagnostic::Mistakes;

/// Takes the `;` at the end of a declaration.
///
/// Where another declaration begins instead, that is a mistake which doesn't
/// keep either from being read.
pub(super) fn end(input: ParseStream<'_>, mistakes: &mut Mistakes) -> syn::Result<()> {
    if input.peek(Token![;]) {
        input.parse::<Token![;]>()?;
        return Ok(());
    }
    let rest: TokenStream = input.fork().parse()?;
    match rest.clone().into_iter().next() {
        Some(TokenTree::Ident(noun)) if begins_declaration(&rest) => {
            let message = format!("expected `;` before `{noun}`");
            mistakes.add(
                Code::MissingSemicolon,
                noun.span(),
                message,
                "end the previous declaration with `;`",
            );
            Ok(())
        }
        _ => {
            let help = "end the declaration with `;`";
            Err(mistake(Code::MissingSemicolon, input.span(), "expected `;`", help))
        }
    }
}

/// Tells whether the tokens look like a noun and the head of its declaration,
/// which no Rust expression does.
pub(super) fn begins_declaration(tokens: &TokenStream) -> bool {
    let mut tokens = tokens.clone().into_iter();
    let Some(TokenTree::Ident(noun)) = tokens.next() else {
        return false;
    };
    if !NOUNS.contains(&noun.to_string().as_str()) {
        return false;
    }
    // Two words, or a word and a text, never stand side by side in Rust.
    matches!(tokens.next(), Some(TokenTree::Ident(_) | TokenTree::Literal(_)))
}
