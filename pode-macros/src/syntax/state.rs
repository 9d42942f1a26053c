//! `state Type = value;`

use syn::parse::ParseStream;
use syn::{Expr, Token, Type};

use super::unreadable;

/// A shared value as written.
pub(crate) struct State {
    pub(crate) ty: Type,
    pub(crate) value: Expr,
}

impl State {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ty = input.parse()?;
        if !input.peek(Token![=]) {
            let help = "write `state Type = value;`";
            return Err(unreadable(input.span(), "a state needs a value", help));
        }
        input.parse::<Token![=]>()?;
        Ok(State { ty, value: input.parse()? })
    }
}
