//! `state Type = value;`

use syn::parse::ParseStream;
use syn::{Expr, Token, Type};

/// A shared value as written.
pub(crate) struct State {
    pub(crate) ty: Type,
    pub(crate) value: Expr,
}

impl State {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ty = input.parse()?;
        if !input.peek(Token![=]) {
            return Err(input.error("a state needs a value\n\nhelp: write `state Type = value;`"));
        }
        input.parse::<Token![=]>()?;
        Ok(State { ty, value: input.parse()? })
    }
}
