//! `public "/prefix"? "folder" { options };`

use syn::LitStr;
use syn::parse::ParseStream;

use super::{Options, unreadable};

/// A folder of static files as written.
pub(crate) struct Public {
    pub(crate) prefix: Option<LitStr>,
    pub(crate) folder: LitStr,
    pub(crate) options: Options,
}

impl Public {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let first = super::text(input, "a folder", "public")?;
        let (prefix, folder) = if input.peek(LitStr) {
            (Some(first), input.parse()?)
        } else if first.value().starts_with('/') {
            let message = format!("public prefix `{}` has no folder", first.value());
            let help = format!("write `public {} \"folder\";`", first.token());
            return Err(unreadable(first.span(), message, help));
        } else {
            (None, first)
        };
        Ok(Public { prefix, folder, options: Options::parse(input)? })
    }
}
