//! Semicolons that were forgotten between two declarations.
//!
//! Without this, the next declaration would be parsed as the rest of this one's
//! handler, and rustc would report a misleading error.

use pode_core::check::Code;
use proc_macro2::{TokenStream, TokenTree};
use syn::Token;
use syn::parse::ParseStream;

use super::{NOUNS, mistake};
use crate::diagnostic::Mistakes;

/// Takes the `;` at the end of a declaration.
///
/// If another declaration begins instead, that is a mistake, but both are still
/// parsed.
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
    // Two words, or a word and a text, are never adjacent in Rust.
    matches!(tokens.next(), Some(TokenTree::Ident(_) | TokenTree::Literal(_)))
}
