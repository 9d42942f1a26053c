//! Handlers for clients that connect or disconnect: parses events.

use pode_core::check::{Code, help_with_choices};
use pode_core::model::{ConnectionEvent, Head, On};

use super::Resolver;
use crate::syntax;

impl Resolver<'_> {
    pub(super) fn on(&mut self, head: Head, written: &syntax::On) -> Option<On> {
        let event = self.connection_event(&written.event, &written.signal);
        let closure = self.captures(&written.handler);
        Some(On { head, event: closure.and(event)?, signal: self.word(&written.signal) })
    }

    fn connection_event(
        &mut self,
        word: &syn::Ident,
        signal: &syn::Ident,
    ) -> Option<ConnectionEvent> {
        let written = word.to_string();
        ConnectionEvent::parse(&written).or_else(|| {
            let choices = ConnectionEvent::ALL.map(ConnectionEvent::as_str);
            let help = match written.to_lowercase().as_str() {
                _ if ConnectionEvent::parse(&signal.to_string()).is_some() => {
                    format!("write `on {signal} {written}`")
                }
                "open" | "join" => "did you mean `connect`?".to_owned(),
                "close" | "leave" => "did you mean `disconnect`?".to_owned(),
                "message" | "receive" | "data" => format!(
                    "messages go to the handler at the signal: `signal {signal}: Received -> Sent = \"/path\" => handler;`"
                ),
                _ => help_with_choices(&written, &choices, "clients"),
            };
            let message = format!("unknown event `{written}`");
            self.mistake(Code::UnknownEvent, word.span(), message, help)
        })
    }
}
