//! Upstreams: their names, which are constants like those of signals.

use super::twice::names_twice;
use super::{Code, Diagnostic};
use crate::model::{Head, Name, Server};

const HELP: &str = "give one of them another name";

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    let upstreams = server.upstreams.iter().map(|upstream| (&upstream.head, &upstream.name));
    names_twice(Code::UpstreamTwice, "upstream", HELP, upstreams.clone(), found);
    for (head, name) in upstreams {
        let mut signals = server.signals.iter().map(|signal| (&signal.head, &signal.name));
        let signal = signals.find(|(other, signal)| signal.text == name.text && other.meets(head));
        found.extend(signal.map(|signal| name_of_both(signal, (head, name))));
    }
}

/// Reported at the later declaration.
fn name_of_both(signal: (&Head, &Name), upstream: (&Head, &Name)) -> Diagnostic {
    let (first, second, message) = if signal.0.index < upstream.0.index {
        (signal.1, upstream.1, format!("upstream `{}` has the name of a signal", upstream.1.text))
    } else {
        (upstream.1, signal.1, format!("signal `{}` has the name of an upstream", signal.1.text))
    };
    Diagnostic::new(Code::UpstreamTwice, second.place, message, HELP)
        .other(first.place, "first declared here")
}
