//! Timers and schedules: names that stand twice.

use super::Diagnostic;
use crate::model::{Head, Name, Server};

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    // One of each may share a name: they are called by different words.
    let timers = server.timers.iter().map(|timer| (&timer.head, &timer.name));
    names_twice("timer", timers, found);
    let schedules = server.schedules.iter().map(|schedule| (&schedule.head, &schedule.name));
    names_twice("schedule", schedules, found);
}

fn names_twice<'server>(
    noun: &str,
    declared: impl Iterator<Item = (&'server Head, &'server Name)>,
    found: &mut Vec<Diagnostic>,
) {
    let mut earlier: Vec<(&Head, &Name)> = Vec::new();
    for (head, name) in declared {
        let first =
            earlier.iter().find(|(other, first)| first.text == name.text && other.meets(head));
        if let Some((_, first)) = first {
            let message = format!("{noun} `{}` is declared twice", name.text);
            found.push(
                Diagnostic::new(name.place, message)
                    .help("give one of them another name")
                    .other(first.place, "first declared here"),
            );
        }
        earlier.push((head, name));
    }
}
