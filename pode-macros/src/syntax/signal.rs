//! `signal NAME: Received -> Sent = "/path" (name: Type, …) { options } => handler;`

use proc_macro2::{Ident, Span, TokenStream};
use syn::parse::ParseStream;
use syn::{LitStr, Token, Type};

use super::{Argument, Options, at_end, handler, text, unreadable};

/// A signal as written.
pub(crate) struct Signal {
    pub(crate) name: Ident,
    /// The type of clients' messages, if they send any.
    pub(crate) receives: Option<Type>,
    pub(crate) sends: Type,
    pub(crate) path: LitStr,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) options: Options,
    pub(crate) receiver: Option<Receiver>,
    /// The position after all that, usually the `;`.
    pub(crate) end: Span,
}

/// The receiver of clients' messages.
pub(crate) enum Receiver {
    /// The declaration's own word.
    Rebroadcast(Ident),
    /// Raw tokens, whether or not they are an expression; possibly none.
    Handler { arrow: Token![=>], handler: TokenStream },
}

impl Signal {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let shape = "write `signal NAME: Type = \"/path\";`";
        let name: Ident = input.parse().map_err(|error: syn::Error| {
            unreadable(error.span(), "a signal needs a name", shape)
        })?;
        if !input.peek(Token![:]) {
            let message = format!("signal `{name}` needs the type of its payload");
            return Err(unreadable(input.span(), message, shape));
        }
        input.parse::<Token![:]>()?;
        let mut sends = payload(input, &name)?;
        let mut receives = None;
        if input.peek(Token![->]) {
            input.parse::<Token![->]>()?;
            receives = Some(sends);
            sends = payload(input, &name)?;
        }
        if !input.peek(Token![=]) {
            let message = format!("signal `{name}` needs a path");
            return Err(unreadable(input.span(), message, shape));
        }
        input.parse::<Token![=]>()?;
        let path = text(input, "a path", "/path")?;
        let arguments = Argument::parse_all(input)?;
        let options = Options::parse(input)?;
        let receiver = Receiver::parse(input)?;
        let end = input.span();
        Ok(Signal { name, receives, sends, path, arguments, options, receiver, end })
    }
}

fn payload(input: ParseStream<'_>, name: &Ident) -> syn::Result<Type> {
    if input.peek(Token![=]) || input.peek(LitStr) || at_end(input) {
        let message = format!("signal `{name}` needs the type of its payload");
        return Err(unreadable(
            input.span(),
            message,
            format!("write `signal {name}: Type = \"/path\";`"),
        ));
    }
    if input.peek(Token![impl]) {
        // It would swallow the arrow.
        let message = format!("the payload of signal `{name}` needs a named type");
        return Err(unreadable(input.span(), message, "write a struct or an enum"));
    }
    input.parse()
}

impl Receiver {
    fn parse(input: ParseStream<'_>) -> syn::Result<Option<Self>> {
        let Some(arrow) = input.parse::<Option<Token![=>]>>()? else {
            return Ok(None);
        };
        let ahead = input.fork();
        if ahead.parse::<Ident>().is_ok_and(|word| word == "rebroadcast") && at_end(&ahead) {
            return Ok(Some(Receiver::Rebroadcast(input.parse()?)));
        }
        Ok(Some(Receiver::Handler { arrow, handler: handler::raw(input)? }))
    }
}
