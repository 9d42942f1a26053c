//! `endpoint name? http "127.0.0.1:8090" { options };`

use pode_core::Protocol;
use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Expr, Lit, LitInt, LitStr, Token};

use super::{Options, at_end, unreadable};
use crate::shown::shown;

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
            Some(second) if is_protocol(&second) || input.peek2(LitStr) => {
                (Some(first), word(input)?)
            }
            _ => (None, first),
        };
        if let Ok(later) = input.fork().parse::<Ident>()
            && input.peek2(Lit)
        {
            let message = "the name of an endpoint stands before its protocol";
            let help = format!("write `endpoint {later} {protocol}`");
            return Err(unreadable(later.span(), message, help));
        }
        if at_end(input) {
            let message = format!("endpoint `{protocol}` has no address");
            let help = format!("write `{protocol} \"127.0.0.1:8090\"`");
            return Err(unreadable(input.span(), message, help));
        }
        let address = Expr::parse_without_eager_brace(input)?;
        if input.peek(Token![,]) && (input.peek2(LitInt) || input.peek2(LitStr)) {
            let ahead = input.fork();
            ahead.parse::<Token![,]>()?;
            let (host, port) = (shown(&address), shown(&ahead.parse::<Lit>()?));
            let [host, port] = [host, port].map(|part| part.trim_matches('"').to_owned());
            let help = format!("write `{protocol} \"{host}:{port}\"`");
            return Err(unreadable(input.span(), "an address is one text, with its port", help));
        }
        let options = Options::parse(input)?;
        Ok(Endpoint { name, protocol, address, options })
    }
}
