//! Signals: paths, names, channels, and an endpoint for their clients.

use super::endpoints::unknown_names;
use super::{Code, Diagnostic};
use crate::model::{HistoryNeed, Level, Receiver, Server, Signal};
use crate::route_path::Overlap;

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    found.extend(no_endpoint(server));
    for (index, signal) in server.signals.iter().enumerate() {
        for earlier in server.signals[..index].iter().filter(|other| other.head.meets(&signal.head))
        {
            found.extend(in_the_way(earlier, signal));
        }
        found.extend(unknown_names(server, &signal.endpoints, "signal", |endpoint| {
            endpoint.protocol.serves_signals()
        }));
        found.extend(no_capacity(signal));
        found.extend(key_in_vain(signal));
        found.extend(grace_in_vain(signal));
        found.extend(signal.history_needs.iter().filter_map(|need| not_kept(signal, need)));
    }
}

/// Several signals without an endpoint are one mistake, reported at the first.
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

/// Each path has one channel, so it is declared once, whatever its endpoints.
fn in_the_way(earlier: &Signal, later: &Signal) -> Option<Diagnostic> {
    // That is reported once, for its name.
    if earlier.name.text == later.name.text {
        return None;
    }
    let (first, second) = (&earlier.name.text, &later.name.text);
    let (code, message, help, other) = match earlier.path.overlap(&later.path) {
        Overlap::Same => (
            Code::SignalPathTwice,
            format!("signals `{first}` and `{second}` have the same path"),
            "give each signal a path of its own",
            "first declared here",
        ),
        Overlap::Crossing => (
            Code::SignalsCross,
            format!(
                "`{}` and `{}` are both at some paths, and neither is the more specific",
                earlier.path, later.path
            ),
            "give them different fixed parts",
            "the other signal",
        ),
        Overlap::None | Overlap::Inside => return None,
    };
    Some(Diagnostic::new(code, later.path_place, message, help).other(earlier.path_place, other))
}

/// An option would have no effect, or less than it says.
fn not_kept(signal: &Signal, need: &HistoryNeed) -> Option<Diagnostic> {
    let HistoryNeed { option, messages: needed } = need;
    let kept = signal.history_messages.filter(|kept| kept < needed)?;
    let (name, option, place) = (&signal.name.text, &option.text, option.place);
    let (message, help) = match kept {
        0 => (
            format!("`{option}` has no effect: signal `{name}` keeps no messages"),
            format!("write how many it keeps, such as `history_messages: {}`", 100.max(*needed)),
        ),
        _ => (
            format!("`{option}` is of {needed} messages, and signal `{name}` keeps {kept}"),
            format!("write `history_messages: {needed}`, or replay fewer"),
        ),
    };
    Some(Diagnostic::new(Code::NotKept, place, message, help))
}

/// Only a message that the server sends to every client has a key.
fn key_in_vain(signal: &Signal) -> Option<Diagnostic> {
    let (place, name) = (signal.latest_by?, &signal.name.text);
    let (message, help) = match (signal.level, signal.receiver) {
        (Level::Name, Some(Receiver::Rebroadcast)) => (
            format!("what clients of signal `{name}` rebroadcast has no key"),
            format!(
                "write a handler that sends it: `=> async |event, message| event.send({name}, &message).await`"
            ),
        ),
        (Level::Name, _) => return None,
        (level, _) => (
            format!("no message of signal `{name}` has a key: its level is `{}`", level.as_str()),
            "remove one of them: only a message to every client replaces the one before".to_owned(),
        ),
    };
    Some(Diagnostic::new(Code::KeyInVain, place, message, help))
}

/// Nobody is told of clients, so none needs time to come back.
fn grace_in_vain(signal: &Signal) -> Option<Diagnostic> {
    let place = signal.presence_grace.filter(|_| signal.presence == Some(0))?;
    let name = &signal.name.text;
    let message =
        format!("`presence_grace` has no effect: nobody is told who is present at signal `{name}`");
    let help = "write of how many each is told, such as `presence: 200`";
    Some(Diagnostic::new(Code::GraceInVain, place, message, help))
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
