//! `mount "/prefix" filter;`

use syn::parse::ParseStream;
use syn::{Expr, LitStr};

use super::{at_end, text};

/// A mounted filter as written.
pub(crate) struct Mount {
    pub(crate) prefix: LitStr,
    pub(crate) filter: Expr,
}

impl Mount {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let prefix = text(input, "a prefix")?;
        if at_end(input) {
            let help =
                format!("help: write `mount {} filter`, with any warp filter", prefix.token());
            return Err(input.error(format!("mount `{}` has no filter\n\n{help}", prefix.value())));
        }
        Ok(Mount { prefix, filter: input.parse()? })
    }
}
