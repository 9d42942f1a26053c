//! `on connect SIGNAL => handler;`

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt;
use syn::parse::ParseStream;

use super::{handler, unreadable};

/// A handler for clients that connect or disconnect, as written.
pub(crate) struct On {
    /// The word `connect` or `disconnect`, or a wrong one instead.
    pub(crate) event: Ident,
    /// The constant of the signal.
    pub(crate) signal: Ident,
    pub(crate) handler: TokenStream,
}

impl On {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let event = input.call(Ident::parse_any).map_err(|error| {
            let help = "write `on connect SIGNAL => handler;`";
            unreadable(error.span(), "expected `connect` or `disconnect`", help)
        })?;
        let signal: Ident = input.parse().map_err(|error: syn::Error| {
            let help = format!("write `on {event} SIGNAL => handler;`");
            unreadable(error.span(), format!("`on {event}` needs a signal"), help)
        })?;
        let takes = if event == "disconnect" { "a `DisconnectEvent`" } else { "a `ConnectEvent`" };
        let handler = handler::parse(input, &format!("`on {event} {signal}`"), takes)?;
        Ok(On { event, signal, handler })
    }
}
