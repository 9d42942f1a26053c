//! `operations { endpoint: name };`

use syn::parse::ParseStream;

use super::{Options, unreadable};

/// Where it is told how the server is, as written.
pub(crate) struct Operations {
    /// At least one.
    pub(crate) options: Options,
}

impl Operations {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let place = input.span();
        let options = Options::parse(input)?;
        if options.fields.is_empty() && options.unread.is_empty() {
            let message = "`operations` has no endpoint";
            let help = "write `operations { endpoint: name };`, as in `endpoint name http \"…\";`";
            return Err(unreadable(place, message, help));
        }
        Ok(Operations { options })
    }
}
