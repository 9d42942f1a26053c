//! `signal NAME: Type = "/path" { options };`

use proc_macro2::Ident;
use syn::parse::ParseStream;
use syn::{LitStr, Token, Type};

use super::{Options, handler, text, unreadable};

/// A signal as written.
pub(crate) struct Signal {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    /// The arrow behind the type, if another type follows.
    pub(crate) arrow: Option<Token![->]>,
    pub(crate) path: LitStr,
    pub(crate) options: Options,
    /// The arrow before a handler, if there is one.
    pub(crate) handler_arrow: Option<Token![=>]>,
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
        if input.peek(Token![impl]) {
            // It would swallow the arrow.
            let message = format!("the payload of signal `{name}` needs a named type");
            return Err(unreadable(input.span(), message, "write a struct or an enum"));
        }
        let mut ty = input.parse()?;
        let arrow: Option<Token![->]> = input.parse()?;
        if arrow.is_some() {
            // What comes first is what clients would send.
            ty = input.parse()?;
        }
        if !input.peek(Token![=]) {
            let message = format!("signal `{name}` needs a path");
            return Err(unreadable(input.span(), message, shape));
        }
        input.parse::<Token![=]>()?;
        let path = text(input, "a path", "/path")?;
        let options = Options::parse(input)?;
        let handler_arrow: Option<Token![=>]> = input.parse()?;
        if handler_arrow.is_some() {
            handler::raw(input)?;
        }
        Ok(Signal { name, ty, arrow, path, options, handler_arrow })
    }
}
