//! Timers: parses intervals.

use pode_core::check::Code;
use pode_core::interval;
use pode_core::model::{Head, Timer};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit};

use super::Resolver;
use super::options::interval;
use crate::syntax;

impl Resolver<'_> {
    pub(super) fn timer(&mut self, head: Head, written: &syntax::Timer) -> Option<Timer> {
        let options = self.options(&written.options);
        self.no_endpoint(&written.options, "a timer");
        // A whole number is a Rust value, but not an interval.
        let judged = match &written.interval {
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => {
                Some(interval::parse(&number.to_string()))
            }
            other => interval(other),
        };
        if let Expr::Lit(ExprLit { lit, .. }) = &written.interval
            && judged.is_none()
        {
            let (message, span) = ("an interval is a number with its unit", lit.span());
            let text = match lit {
                Lit::Str(text) => text.value(),
                _ => String::new(),
            };
            let help = match interval::parse(&text) {
                Ok(_) => format!("write `{text}`, without quotes"),
                Err(error) => error.help().to_owned(),
            };
            return self.mistake(Code::Interval, span, message, help);
        }
        if let Some(Err(error)) = judged {
            let (message, span) = (error.to_string(), written.interval.span());
            return self.mistake(Code::Interval, span, message, error.help());
        }
        let closure = self.closure(&written.handler, &["event"]);
        options.and(closure).map(|()| Timer { head, name: self.text(&written.name) })
    }
}
