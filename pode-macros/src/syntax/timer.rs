//! `timer "name" every 5s { options } => handler;`

use proc_macro2::{Ident, TokenStream};
use syn::parse::ParseStream;
use syn::{Expr, LitStr};

use super::{Options, at_end, handler, text, word};

/// A timer as written.
pub(crate) struct Timer {
    pub(crate) name: LitStr,
    /// The word `every`.
    pub(crate) every: Ident,
    pub(crate) interval: Expr,
    pub(crate) options: Options,
    pub(crate) handler: TokenStream,
}

impl Timer {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = text(input, "the name of a timer")?;
        let title = format!("timer `{}`", name.value());
        let missing =
            || format!("{title} has no interval\n\nhelp: write `timer {} every 5s`", name.token());
        let every = word(input, "every", missing)?;
        if at_end(input) {
            return Err(input.error(missing()));
        }
        let interval = Expr::parse_without_eager_brace(input)?;
        if matches!(interval, Expr::Lit(_)) && input.peek(syn::Ident) {
            let help = "help: write `5s`, `500ms`, `2min` or `1h`";
            let message = format!("an interval and its unit are one word\n\n{help}");
            return Err(input.error(message));
        }
        let options = Options::parse(input)?;
        let handler = handler::parse(input, &title, "TimerEvent")?;
        Ok(Timer { name, every, interval, options, handler })
    }
}
