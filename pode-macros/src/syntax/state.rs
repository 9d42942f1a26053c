//! `state NAME: Type = value;`

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Expr, Token, Type};

use super::{at_end, unreadable};

/// A shared value as written.
pub(crate) struct State {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    pub(crate) value: Expr,
}

impl State {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let shape = "write `state NAME: Type = value;`";
        let ahead = input.fork();
        let names = ahead.call(Ident::parse_any).is_ok() && ahead.peek(Token![:]);
        if !names || ahead.peek(Token![::]) {
            let message = "a state needs a name and a type";
            return Err(unreadable(input.span(), message, shape));
        }
        let name: Ident = input.parse()?;
        input.parse::<Token![:]>()?;
        let ty = input.parse()?;
        if !input.peek(Token![=]) {
            let message = format!("state `{name}` needs a value");
            return Err(unreadable(input.span(), message, shape));
        }
        input.parse::<Token![=]>()?;
        if at_end(input) {
            let message = format!("state `{name}` needs a value");
            return Err(unreadable(input.span(), message, shape));
        }
        Ok(State { name, ty, value: input.parse()? })
    }
}
