//! `schedule "name" cron "0 0 * * *", "@weekly" { options } => handler;`

use proc_macro2::{Ident, TokenStream};
use syn::parse::ParseStream;
use syn::{LitStr, Token};

use super::{Options, handler, text, word};

/// A schedule as written.
pub(crate) struct Schedule {
    pub(crate) name: LitStr,
    /// The word `cron`.
    pub(crate) cron: Ident,
    /// At least one.
    pub(crate) expressions: Vec<LitStr>,
    pub(crate) options: Options,
    pub(crate) handler: TokenStream,
}

impl Schedule {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = text(input, "the name of a schedule", "nightly")?;
        let title = format!("schedule `{}`", name.value());
        let cron = word(input, "cron", || {
            let help = format!("write `schedule {} cron \"0 0 * * *\"`", name.token());
            (format!("{title} has no cron expression"), help)
        })?;
        let mut expressions = vec![text(input, "a cron expression", "0 0 * * *")?];
        while input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
            expressions.push(text(input, "a cron expression", "0 0 * * *")?);
        }
        let options = Options::parse(input)?;
        let handler = handler::parse(input, &title, "a `ScheduleEvent`")?;
        Ok(Schedule { name, cron, expressions, options, handler })
    }
}
