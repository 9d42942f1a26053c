//! `public "/prefix"? "folder";`

use syn::LitStr;
use syn::parse::ParseStream;

/// A folder of static files as written.
pub(crate) struct Public {
    pub(crate) prefix: Option<LitStr>,
    pub(crate) folder: LitStr,
}

impl Public {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let first = super::text(input, "a folder")?;
        if input.peek(LitStr) {
            return Ok(Public { prefix: Some(first), folder: input.parse()? });
        }
        if first.value().starts_with('/') {
            let help = format!("help: write `public {} \"folder\";`", first.token());
            let message = format!("public prefix `{}` has no folder\n\n{help}", first.value());
            return Err(syn::Error::new(first.span(), message));
        }
        Ok(Public { prefix: None, folder: first })
    }
}
