//! The names of what becomes a constant: signals, upstreams and states.

use super::{Code, Diagnostic};
use crate::model::{Head, Name, Server};

const HELP: &str = "give one of them another name";

/// A noun as it is named, with its article, and the code of its mistake.
type Noun = (&'static str, &'static str, Code);

const SIGNAL: Noun = ("signal", "a signal", Code::SignalTwice);
const UPSTREAM: Noun = ("upstream", "an upstream", Code::UpstreamTwice);
const STATE: Noun = ("state", "a state", Code::StateTwice);

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    let signals = server.signals.iter().map(|signal| (SIGNAL, &signal.head, &signal.name));
    let upstreams = server.upstreams.iter().map(|it| (UPSTREAM, &it.head, &it.name));
    let states = server.states.iter().map(|state| (STATE, &state.head, &state.name));
    let mut declared: Vec<(Noun, &Head, &Name)> = signals.chain(upstreams).chain(states).collect();
    declared.sort_by_key(|(_, head, _)| head.index);
    for (index, (noun, head, name)) in declared.iter().enumerate() {
        let mut earlier = declared[..index].iter();
        let first = earlier.find(|(_, other, first)| first.text == name.text && other.meets(head));
        let Some((of, _, first)) = first else { continue };
        let (word, _, code) = noun;
        let message = match of == noun {
            true => format!("{word} `{}` is declared twice", name.text),
            false => format!("{word} `{}` has the name of {}", name.text, of.1),
        };
        let twice = Diagnostic::new(*code, name.place, message, HELP);
        found.push(twice.other(first.place, "first declared here"));
    }
}
