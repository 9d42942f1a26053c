//! `mount "/prefix" filter;`

use syn::parse::ParseStream;
use syn::{Expr, LitStr, Token};

use super::{at_end, text, unreadable};

/// A mounted filter as written.
pub(crate) struct Mount {
    pub(crate) prefix: LitStr,
    pub(crate) filter: Expr,
}

impl Mount {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let prefix = text(input, "a prefix", "/api")?;
        if input.peek(Token![=>]) {
            let help = format!("write `mount {} filter`", prefix.token());
            return Err(unreadable(input.span(), "a mount has no `=>`, but a filter", help));
        }
        if at_end(input) {
            let message = format!("mount `{}` has no filter", prefix.value());
            let help = format!("write `mount {} filter`, with any warp filter", prefix.token());
            return Err(unreadable(input.span(), message, help));
        }
        Ok(Mount { prefix, filter: input.parse()? })
    }
}
