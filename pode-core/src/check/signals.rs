//! Signals: paths, names, channels, and an endpoint for clients to come by.

use super::endpoints::unknown_names;
use super::{Code, Diagnostic};
use crate::model::{Server, Signal};

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    found.extend(no_endpoint(server));
    for (index, signal) in server.signals.iter().enumerate() {
        for earlier in server.signals[..index].iter().filter(|other| other.head.meets(&signal.head))
        {
            found.extend(declared_twice(earlier, signal));
        }
        found.extend(unknown_names(server, &signal.endpoints, "signal", |endpoint| {
            endpoint.protocol.serves_signals()
        }));
        found.extend(no_capacity(signal));
    }
}

/// Several signals without an endpoint are one mistake, told at the first.
fn no_endpoint(server: &Server) -> Option<Diagnostic> {
    let first = server.signals.first()?;
    let served = server.endpoints.iter().any(|endpoint| endpoint.protocol.serves_signals());
    (!served && !server.incomplete).then(|| {
        Diagnostic::new(
            Code::NoSignalEndpoint,
            first.head.noun,
            "signals need a `ws` or `wss` endpoint",
            "add `endpoint ws \"127.0.0.1:8091\";`",
        )
    })
}

/// A path has one channel, so it stands once, whatever its endpoints.
fn declared_twice(earlier: &Signal, later: &Signal) -> Option<Diagnostic> {
    if earlier.name.text == later.name.text {
        let message = format!("signal `{}` is declared twice", later.name.text);
        let help = "give one of them another name";
        return Some(
            Diagnostic::new(Code::SignalTwice, later.name.place, message, help)
                .other(earlier.name.place, "first declared here"),
        );
    }
    (earlier.path == later.path).then(|| {
        let message =
            format!("signals `{}` and `{}` have the same path", earlier.name.text, later.name.text);
        let help = "give each signal a path of its own";
        Diagnostic::new(Code::SignalPathTwice, later.path_place, message, help)
            .other(earlier.path_place, "first declared here")
    })
}

/// Nothing could ever be sent.
fn no_capacity(signal: &Signal) -> Option<Diagnostic> {
    let (0, place) = signal.capacity_messages? else {
        return None;
    };
    let message = format!("the channel of signal `{}` has no room", signal.name.text);
    let help = "write at least 1, or leave the option out for 128";
    Some(Diagnostic::new(Code::NoCapacity, place, message, help))
}
