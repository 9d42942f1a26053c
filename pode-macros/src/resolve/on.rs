//! Handlers for clients that connect or disconnect: parses events.

use pode_core::check::{Code, help_with_choices};
use pode_core::model::{ConnectionEvent, Head, On};

use super::Resolver;
use crate::syntax;

impl Resolver<'_> {
    pub(super) fn on(&mut self, head: Head, written: &syntax::On) -> Option<On> {
        let event = self.connection_event(&written.event);
        let closure = self.captures(&written.handler);
        Some(On { head, event: closure.and(event)?, signal: self.word(&written.signal) })
    }

    fn connection_event(&mut self, word: &syn::Ident) -> Option<ConnectionEvent> {
        let written = word.to_string();
        ConnectionEvent::parse(&written).or_else(|| {
            let choices = ConnectionEvent::ALL.map(ConnectionEvent::as_str);
            let help = help_with_choices(&written, &choices, "clients");
            let message = format!("unknown event `{written}`");
            self.mistake(Code::UnknownEvent, word.span(), message, help)
        })
    }
}
