//! `endpoint name? http "127.0.0.1:8090" { options };`

use pode_core::Protocol;
use proc_macro2::Ident;
use syn::Expr;
use syn::ext::IdentExt;
use syn::parse::ParseStream;

use super::{Options, at_end, unreadable};

/// An endpoint as written.
pub(crate) struct Endpoint {
    pub(crate) name: Option<Ident>,
    pub(crate) protocol: Ident,
    pub(crate) address: Expr,
    pub(crate) options: Options,
}

impl Endpoint {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let word = |input: ParseStream<'_>| {
            let help = "write `endpoint http \"127.0.0.1:8090\";`";
            input
                .call(Ident::parse_any)
                .map_err(|error| unreadable(error.span(), "expected a protocol", help))
        };
        let is_protocol = |word: &Ident| Protocol::parse(&word.to_string()).is_some();

        // A protocol may be followed by an address that begins with a word, so
        // the first of two words is a name only if it isn't a protocol.
        let first = word(input)?;
        let second =
            (!is_protocol(&first)).then(|| input.fork().call(Ident::parse_any).ok()).flatten();
        let (name, protocol) = match second {
            Some(second) if is_protocol(&second) || input.peek2(syn::LitStr) => {
                (Some(first), word(input)?)
            }
            _ => (None, first),
        };
        if at_end(input) {
            let message = format!("endpoint `{protocol}` has no address");
            let help = format!("write `{protocol} \"127.0.0.1:8090\"`");
            return Err(unreadable(input.span(), message, help));
        }
        let address = Expr::parse_without_eager_brace(input)?;
        let options = Options::parse(input)?;
        Ok(Endpoint { name, protocol, address, options })
    }
}
