//! `public "/prefix"? "folder" { options };`

use syn::LitStr;
use syn::parse::ParseStream;

use super::Options;

/// A folder of static files as written.
pub(crate) struct Public {
    pub(crate) prefix: Option<LitStr>,
    pub(crate) folder: LitStr,
    pub(crate) options: Options,
}

impl Public {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let first = super::text(input, "a folder")?;
        let (prefix, folder) = if input.peek(LitStr) {
            (Some(first), input.parse()?)
        } else if first.value().starts_with('/') {
            let help = format!("help: write `public {} \"folder\";`", first.token());
            let message = format!("public prefix `{}` has no folder\n\n{help}", first.value());
            return Err(syn::Error::new(first.span(), message));
        } else {
            (None, first)
        };
        Ok(Public { prefix, folder, options: Options::parse(input)? })
    }
}
