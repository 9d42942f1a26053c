//! `upstream NAME: Type -> Type = url { options } => handler;`

use proc_macro2::{Ident, TokenStream};
use syn::parse::ParseStream;
use syn::{Expr, Token, Type};

use super::options::Field;
use super::{Options, at_end, handler, unreadable};

/// The option that is a handler of its own.
pub(crate) const ON_CONNECT: &str = "on_connect";

/// An upstream as written.
pub(crate) struct Upstream {
    pub(crate) name: Ident,
    pub(crate) receives: Type,
    /// The type after the arrow, if there is one.
    pub(crate) sends: Option<Type>,
    pub(crate) url: Expr,
    pub(crate) options: Options,
    /// The options `on_connect`, which are no fields of the run time's.
    pub(crate) on_connect: Vec<Field>,
    /// Without a handler, the constant still exists, for code that sends.
    pub(crate) handler: syn::Result<TokenStream>,
}

impl Upstream {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let shape = "write `upstream NAME: Type = \"wss://…\" => handler;`";
        let name: Ident = input.parse().map_err(|error: syn::Error| {
            unreadable(error.span(), "an upstream needs a name", shape)
        })?;
        if !input.peek(Token![:]) {
            let message = format!("upstream `{name}` needs the type of its messages");
            return Err(unreadable(input.span(), message, shape));
        }
        input.parse::<Token![:]>()?;
        let receives = named_type(input, &name)?;
        let arrow: Option<Token![->]> = input.parse()?;
        let sends = arrow.map(|_| named_type(input, &name)).transpose()?;
        let missing = || {
            let message = format!("upstream `{name}` needs a URL");
            unreadable(input.span(), message, shape)
        };
        if !input.peek(Token![=]) || input.peek(Token![=>]) {
            return Err(missing());
        }
        input.parse::<Token![=]>()?;
        if at_end(input) {
            return Err(missing());
        }
        let url = Expr::parse_without_eager_brace(input)?;
        let Options { fields, unread } = Options::parse(input)?;
        let (on_connect, fields): (Vec<Field>, Vec<Field>) =
            fields.into_iter().partition(|field| field.name == ON_CONNECT);
        let title = format!("upstream `{name}`");
        let handler = handler::parse(input, &title, "an `UpstreamEvent` and a message");
        if handler.is_err() {
            handler::skip(input)?;
        }
        Ok(Upstream {
            name,
            receives,
            sends,
            url,
            options: Options { fields, unread },
            on_connect,
            handler,
        })
    }
}

/// Parses a type that doesn't swallow the arrow.
fn named_type(input: ParseStream<'_>, name: &Ident) -> syn::Result<Type> {
    if input.peek(Token![=]) || at_end(input) {
        let message = format!("upstream `{name}` needs the type of its messages");
        let help = format!("write `upstream {name}: Type = \"wss://…\" => handler;`");
        return Err(unreadable(input.span(), message, help));
    }
    if input.peek(Token![impl]) {
        let message = format!("the messages of upstream `{name}` need a named type");
        return Err(unreadable(input.span(), message, "write a struct or an enum"));
    }
    input.parse()
}
