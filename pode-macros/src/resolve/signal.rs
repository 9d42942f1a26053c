//! Signals: paths understood.

use pode_core::check::Code;
use pode_core::model::{Head, Signal};
use syn::spanned::Spanned;

use super::Resolver;
use crate::syntax;

impl Resolver<'_> {
    pub(super) fn signal(&mut self, head: Head, written: &syntax::Signal) -> Option<Signal> {
        let path = self.fixed_path(&written.path, "signal path");
        self.messages_from_clients(written);
        let options = self.options(&written.options);
        let endpoints = self.endpoint_names(&written.options);
        Some(Signal {
            head,
            name: options.map(|()| self.word(&written.name))?,
            path: path?,
            path_place: self.places.add(written.path.span()),
            endpoints: endpoints?,
            capacity_messages: self.number(&written.options, "capacity_messages"),
        })
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
