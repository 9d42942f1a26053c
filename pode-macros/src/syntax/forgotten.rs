//! Semicolons that were forgotten between two declarations.
//!
//! Without this, the next declaration would be parsed as the rest of this one's
//! handler, and rustc would report a misleading error.

use pode_core::check::Code;
use proc_macro2::{Delimiter, Ident, Spacing, TokenTree};
use syn::buffer::Cursor;
use syn::parse::ParseStream;
use syn::{Token, token};

use super::{NOUNS, at_end};
use crate::diagnostic::Mistakes;

/// Takes the `;` at the end of a declaration, and tells whether nothing else
/// stood before it.
///
/// If another declaration begins instead, or a `,` stands there, that is a
/// mistake, but both declarations are still parsed. Behind a handler, `has_handler`,
/// options may have been meant.
pub(super) fn end(
    input: ParseStream<'_>,
    has_handler: bool,
    mistakes: &mut Mistakes,
) -> syn::Result<bool> {
    if input.peek(Token![;]) {
        input.parse::<Token![;]>()?;
        return Ok(true);
    }
    if let Some(noun) = next_noun(input.cursor()) {
        let message = format!("expected `;` before `{noun}`");
        let help = "end the previous declaration with `;`";
        mistakes.add(Code::MissingSemicolon, noun.span(), message, help);
        return Ok(true);
    }
    let (message, help) = if input.peek(Token![,]) {
        ("expected `;`, found `,`".to_owned(), "end the declaration with `;`")
    } else if has_handler && input.peek(token::Brace) {
        ("options stand before the `=>`".to_owned(), "write `{ option: value } => handler;`")
    } else {
        let found = input.fork().parse::<TokenTree>()?.to_string();
        // Of a group, its beginning.
        let found = found.split(|c: char| c.is_whitespace() || "([{".contains(c)).next();
        let before = found.filter(|word| !word.is_empty());
        let before = before.map(|word| format!(" before `{word}`")).unwrap_or_default();
        let help = "end the declaration there, or remove what follows";
        (format!("expected `;`{before}"), help)
    };
    mistakes.add(Code::MissingSemicolon, input.span(), message, help);
    let is_comma = input.parse::<Option<Token![,]>>()?.is_some();
    let mut is_read = is_comma;
    while !at_end(input) && next_noun(input.cursor()).is_none() {
        input.parse::<TokenTree>()?;
        is_read = false;
    }
    input.parse::<Option<Token![;]>>()?;
    Ok(is_read)
}

/// Returns the noun of the declaration that begins here, if one does: a noun and
/// the head of its declaration, which no Rust expression is.
pub(super) fn next_noun(mut cursor: Cursor<'_>) -> Option<Ident> {
    // Attributes, as far as there are any.
    while let Some((mark, behind)) = cursor.punct()
        && mark.as_char() == '#'
    {
        let (_, _, behind) = behind.group(Delimiter::Bracket)?;
        cursor = behind;
    }
    let (noun, behind) = cursor.ident()?;
    if !NOUNS.contains(&noun.to_string().as_str()) {
        return None;
    }
    // Two words, or a word and a text, are never adjacent in Rust.
    let has_head = behind.ident().is_some() || behind.literal().is_some();
    (has_head || noun == "operations" && begins_options(behind)).then_some(noun)
}

/// Tells whether `{ option: ` stands here: this noun has no other head, and a variable
/// may be called like it, as in `match operations { … }`.
fn begins_options(cursor: Cursor<'_>) -> bool {
    let braces = cursor.group(Delimiter::Brace);
    let mark = braces.and_then(|(inside, ..)| inside.ident()?.1.punct());
    mark.is_some_and(|(mark, _)| mark.as_char() == ':' && mark.spacing() == Spacing::Alone)
}
