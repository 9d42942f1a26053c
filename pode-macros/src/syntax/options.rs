//! `{ field: value, … }`

use proc_macro2::Ident;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, Token, braced};

use super::unreadable;

/// The options of a declaration, in their order; usually none.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) fields: Vec<Field>,
}

/// One option.
pub(crate) struct Field {
    pub(crate) name: Ident,
    pub(crate) value: Expr,
}

impl Options {
    /// Parses the braces if they are there.
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(syn::token::Brace) {
            return Ok(Options::default());
        }
        let content;
        braced!(content in input);
        let fields = content.parse_terminated(Field::parse, Token![,])?;
        Ok(Options { fields: fields.into_iter().collect() })
    }
}

impl Parse for Field {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.call(Ident::parse_any)?;
        if !input.peek(Token![:]) {
            let message = format!("option `{name}` has no value");
            return Err(unreadable(name.span(), message, format!("write `{name}: value`")));
        }
        if syn::parse2::<Ident>(name.to_token_stream()).is_err() {
            // As a field name, it would make the expansion unparsable.
            let message = format!("`{name}` can't be the name of an option");
            let help = "write `option: value`, with a word that is none of Rust's";
            return Err(unreadable(name.span(), message, help));
        }
        input.parse::<Token![:]>()?;
        Ok(Field { name, value: input.parse()? })
    }
}
