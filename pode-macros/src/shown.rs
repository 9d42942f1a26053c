//! Types as messages show them: as a user would type them.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// Returns the tokens, spaced as rustfmt would.
pub(crate) fn shown(tokens: &impl ToTokens) -> String {
    let mut text = String::new();
    write(tokens.to_token_stream(), &mut text);
    text
}

fn write(tokens: TokenStream, text: &mut String) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                if text.ends_with("mut") || text.ends_with("const") {
                    text.push(' ');
                }
                text.push_str(open);
                write(group.stream(), text);
                text.push_str(close);
            }
            TokenTree::Punct(mark) => match mark.as_char() {
                // The two halves of an arrow.
                '-' => text.push_str(" -"),
                '>' if text.ends_with('-') => text.push_str("> "),
                '+' | '=' => {
                    text.push(' ');
                    text.push(mark.as_char());
                    text.push(' ');
                }
                ',' | ';' => {
                    text.push(mark.as_char());
                    text.push(' ');
                }
                ':' if mark.spacing() == Spacing::Alone && !text.ends_with(':') => {
                    text.push_str(": ");
                }
                mark => text.push(mark),
            },
            TokenTree::Ident(_) | TokenTree::Literal(_) => {
                if text.ends_with(|last: char| last.is_alphanumeric() || last == '_') {
                    text.push(' ');
                }
                text.push_str(&token.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_shown_as_they_would_be_typed() {
        for written in [
            "Vec<Vec<u8>>",
            "&'static mut [u8; 3]",
            "std::collections::HashMap<u8, (String, u8)>",
            "Box<dyn Fn(u8) -> u8 + Send>",
            "<T as Iterator<Item = u8>>::Item",
            "*const fn() -> !",
        ] {
            let ty: syn::Type = syn::parse_str(written).unwrap();
            assert_eq!(shown(&ty), written);
        }
    }
}
