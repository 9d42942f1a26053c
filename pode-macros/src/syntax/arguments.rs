//! `(name: Type, …)`

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Token, Type, parenthesized};

use super::unreadable;

/// Types that no argument is called like.
const PRIMITIVES: [&str; 16] = [
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32",
    "u64", "u128", "usize",
];

/// One argument of a handler.
pub(crate) struct Argument {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
}

impl Argument {
    /// Returns the name of what it takes: `r#type` takes the parameter `:type`.
    pub(crate) fn text(&self) -> String {
        self.name.unraw().to_string()
    }

    /// Parses the parentheses if they are there.
    pub(super) fn parse_all(input: ParseStream<'_>) -> syn::Result<Vec<Self>> {
        if !input.peek(syn::token::Paren) {
            return Ok(Vec::new());
        }
        let content;
        parenthesized!(content in input);
        Ok(content.parse_terminated(Argument::parse, Token![,])?.into_iter().collect())
    }
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name: Ident = input.call(Ident::parse_any)?;
        if !input.peek(Token![:]) {
            let is_type = name.to_string().starts_with(char::is_uppercase)
                || PRIMITIVES.iter().any(|primitive| name == primitive);
            if is_type {
                let message = format!("an argument of the type `{name}` needs a name");
                let help = format!(
                    "write `name: {name}`, with the name of a path parameter, or `query`, `form`, `json`, `data`, `body` or `multipart`"
                );
                return Err(unreadable(name.span(), message, help));
            }
            let message = format!("argument `{name}` needs a type");
            return Err(unreadable(name.span(), message, format!("write `{name}: Type`")));
        }
        input.parse::<Token![:]>()?;
        Ok(Argument { name, ty: input.parse()? })
    }
}
