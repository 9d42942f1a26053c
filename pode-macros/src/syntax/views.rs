//! `views "folder";`

use syn::LitStr;
use syn::parse::ParseStream;

/// The folder of views as written.
pub(crate) struct Views {
    pub(crate) folder: LitStr,
}

impl Views {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Ok(Views { folder: super::text(input, "a folder", "views")? })
    }
}
