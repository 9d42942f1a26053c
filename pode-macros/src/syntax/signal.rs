//! `signal NAME: Type = "/path" { options };`

use proc_macro2::Ident;
use syn::parse::ParseStream;
use syn::{LitStr, Token, Type};

use super::{Options, text};

/// A signal as written.
pub(crate) struct Signal {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    pub(crate) path: LitStr,
    pub(crate) options: Options,
}

impl Signal {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let shape = "help: write `signal NAME: Type = \"/path\";`";
        let name = input.parse().map_err(|error: syn::Error| {
            syn::Error::new(error.span(), format!("a signal needs a name\n\n{shape}"))
        })?;
        if !input.peek(Token![:]) {
            return Err(
                input.error(format!("signal `{name}` needs the type of its payload\n\n{shape}"))
            );
        }
        input.parse::<Token![:]>()?;
        let ty = payload(input, &name)?;
        if !input.peek(Token![=]) {
            return Err(input.error(format!("signal `{name}` needs a path\n\n{shape}")));
        }
        input.parse::<Token![=]>()?;
        let path = text(input, "a path")?;
        let options = Options::parse(input)?;
        if input.peek(Token![=>]) {
            let message = format!(
                "signal `{name}` takes no messages from clients, so it has no handler\n\n\
                 help: remove `=> …`; clients only listen"
            );
            return Err(input.error(message));
        }
        Ok(Signal { name, ty, path, options })
    }
}

fn payload(input: ParseStream<'_>, name: &Ident) -> syn::Result<Type> {
    if input.peek(Token![impl]) {
        let message = format!(
            "the payload of signal `{name}` needs a named type\n\nhelp: write a struct or an enum"
        );
        return Err(input.error(message));
    }
    let ty = input.parse()?;
    if input.peek(Token![->]) {
        let message = format!(
            "signal `{name}` can't take messages from clients\n\n\
             help: write the one type that it sends: `signal {name}: Type = \"/path\";`"
        );
        return Err(input.error(message));
    }
    Ok(ty)
}
