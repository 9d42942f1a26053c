//! Signals: paths understood.

use pode_core::Origin;
use pode_core::check::Code;
use pode_core::model::{Head, Signal};
use syn::spanned::Spanned;
use syn::{Expr, LitStr};

use super::Resolver;
use super::options::text;
use crate::syntax::{self, Options};

/// The option that says whose pages may connect.
const ORIGINS: &str = "origins";

impl Resolver<'_> {
    pub(super) fn signal(&mut self, head: Head, written: &syntax::Signal) -> Option<Signal> {
        let path = self.fixed_path(&written.path, "signal path");
        self.messages_from_clients(written);
        let options = self.options(&written.options);
        let origins = self.origins(&written.options);
        let endpoints = self.endpoint_names(&written.options);
        Some(Signal {
            head,
            name: options.and(origins).map(|()| self.word(&written.name))?,
            path: path?,
            path_place: self.places.add(written.path.span()),
            endpoints: endpoints?,
            capacity_messages: self.number(&written.options, "capacity_messages"),
        })
    }

    /// Judges the origins that are written out in `pages_of([…])`.
    fn origins(&mut self, options: &Options) -> Option<()> {
        let mut understood = Some(());
        for field in options.fields.iter().filter(|field| field.name == ORIGINS) {
            for origin in written_out(&field.value) {
                if let Err(error) = origin.value().parse::<Origin>() {
                    let (message, help) = (error.to_string(), error.help());
                    understood = self.mistake(Code::Origin, origin.span(), message, help);
                }
            }
        }
        understood
    }

    /// Clients only listen, so there is neither a second type nor a handler.
    fn messages_from_clients(&mut self, written: &syntax::Signal) {
        let name = &written.name;
        if let Some(arrow) = &written.arrow {
            self.mistakes.add(
                Code::SignalReceives,
                arrow.span(),
                format!("signal `{name}` can't take messages from clients"),
                format!(
                    "write the one type that it sends: `signal {name}: Type = {};`",
                    written.path.token()
                ),
            );
        } else if let Some(arrow) = &written.handler_arrow {
            self.mistakes.add(
                Code::SignalHandler,
                arrow.span(),
                format!("signal `{name}` takes no messages from clients, so it has no handler"),
                "remove `=> …`; clients only listen",
            );
        }
    }
}

/// Returns the texts of `pages_of([…])`; any other expression has none.
fn written_out(value: &Expr) -> Vec<&LitStr> {
    let Expr::Call(call) = value else { return Vec::new() };
    let is_word = matches!(&*call.func, Expr::Path(word) if word.path.is_ident("pages_of"));
    match call.args.first() {
        Some(Expr::Array(origins)) if is_word => origins.elems.iter().filter_map(text).collect(),
        _ => Vec::new(),
    }
}
