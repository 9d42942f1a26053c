//! `timer "name" every 5s { options } => handler;`

use pode_core::check::Code;
use proc_macro2::{Ident, TokenStream};
use syn::parse::ParseStream;
use syn::{Expr, LitStr};

use super::{Options, at_end, handler, mistake, text, unreadable, word};

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
        let name = text(input, "the name of a timer", "sample")?;
        let title = format!("timer `{}`", name.value());
        let missing = || {
            let help = format!("write `timer {} every 5s`", name.token());
            (format!("{title} has no interval"), help)
        };
        let every = word(input, "every", missing)?;
        if at_end(input) {
            let (message, help) = missing();
            return Err(unreadable(input.span(), message, help));
        }
        let interval = Expr::parse_without_eager_brace(input)?;
        if matches!(interval, Expr::Lit(_)) && input.peek(syn::Ident) {
            let message = "an interval and its unit are one word";
            let help = "write `5s`, `500ms`, `2min` or `1h`";
            return Err(mistake(Code::Interval, input.span(), message, help));
        }
        let options = Options::parse(input)?;
        let handler = handler::parse(input, &title, "a `TimerEvent`")?;
        Ok(Timer { name, every, interval, options, handler })
    }
}
