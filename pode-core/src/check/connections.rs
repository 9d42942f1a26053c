//! Handlers for clients that connect or disconnect: their signals.

use super::suggestion::help_with_choices;
use super::{Code, Diagnostic};
use crate::model::{On, Server};

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    for (index, on) in server.ons.iter().enumerate() {
        found.extend(unknown_signal(server, on));
        let earlier = server.ons[..index].iter().find(|earlier| is_same(earlier, on));
        found.extend(earlier.map(|earlier| declared_twice(earlier, on)));
    }
}

fn unknown_signal(server: &Server, on: &On) -> Option<Diagnostic> {
    // It may be one that was not understood.
    if server.incomplete || !on.signals(server).is_empty() {
        return None;
    }
    let name = &on.signal.text;
    let names: Vec<&str> = server.signals.iter().map(|signal| &*signal.name.text).collect();
    let help = match names.is_empty() {
        true => format!("declare it, as in `signal {name}: String = \"/\";`"),
        false => help_with_choices(name, &names, "signals are"),
    };
    let message = format!("unknown signal `{name}`");
    Some(Diagnostic::new(Code::UnknownSignal, on.signal.place, message, help))
}

fn is_same(earlier: &On, later: &On) -> bool {
    earlier.head.meets(&later.head)
        && earlier.event == later.event
        && earlier.signal.text == later.signal.text
}

fn declared_twice(earlier: &On, later: &On) -> Diagnostic {
    let (event, signal) = (later.event.as_str(), &later.signal.text);
    let message = format!("`on {event} {signal}` is declared twice");
    let help = "do both in one handler";
    Diagnostic::new(Code::OnTwice, later.signal.place, message, help)
        .other(earlier.signal.place, "first declared here")
}
