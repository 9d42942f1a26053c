//! Backplanes: one, with something to carry.

use super::{Code, Diagnostic};
use crate::backplane::{KEPT_MESSAGES as KEPT, KEPT_MESSAGES_BY_DEFAULT};
use crate::model::{Backplane, Server};

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    for (index, backplane) in server.backplanes.iter().enumerate() {
        let mut earlier = server.backplanes[..index].iter();
        if let Some(first) = earlier.find(|other| other.head.meets(&backplane.head)) {
            let message = "`backplane` is declared twice";
            let help = "remove one: a message goes by one, so that it has one number on all nodes";
            found.push(
                Diagnostic::new(Code::BackplaneTwice, backplane.head.noun, message, help)
                    .other(first.head.noun, "first declared here"),
            );
        }
        found.extend(idle(server, backplane));
        found.extend(kept(server, backplane));
    }
}

/// It would carry nothing, as an endpoint may serve nothing.
fn idle(server: &Server, backplane: &Backplane) -> Option<Diagnostic> {
    (server.signals.is_empty() && !server.incomplete).then(|| {
        let message = "this backplane carries nothing: no signals are declared";
        let help = "declare one, as in `signal NEWS: String = \"/news\";`, or remove the backplane";
        Diagnostic::new(Code::IdleBackplane, backplane.head.noun, message, help)
    })
}

/// A node that has just started has no more than what is kept there.
fn kept(server: &Server, backplane: &Backplane) -> Option<Diagnostic> {
    let (kept, place) = backplane.kept_messages?;
    let is_possible = |number: u64| number.try_into().is_ok_and(|it| KEPT.contains(&it));
    if !is_possible(kept) {
        let message = format!("a backplane can't keep {kept} messages of each signal");
        let help = format!(
            "write at least {} and at most {}, or leave the option out for {KEPT_MESSAGES_BY_DEFAULT}",
            KEPT.start(),
            KEPT.end()
        );
        return Some(Diagnostic::new(Code::KeptMessages, place, message, help));
    }
    let (history, signal) = server
        .signals
        .iter()
        // Of each key, the newest message is kept apart.
        .filter(|signal| signal.latest_by.is_none() && signal.head.meets(&backplane.head))
        .filter_map(|signal| Some((signal.history_messages?, signal)))
        .max_by_key(|(history, _)| *history)
        .filter(|(history, _)| *history > kept)?;
    let name = &signal.name;
    let message = format!(
        "the backplane keeps {kept} messages, fewer than the history of signal `{}`",
        name.text
    );
    let help = match is_possible(history) {
        true => format!("write `kept_messages: {history}`, or a shorter history"),
        false => format!("write a shorter history, of at most {} messages", KEPT.end()),
    };
    let fewer = Diagnostic::new(Code::KeptMessages, place, message, help);
    Some(fewer.other(name.place, format!("its history is of {history} messages")))
}
