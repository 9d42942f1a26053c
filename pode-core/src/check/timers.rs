//! Timers and schedules: names by which they are called.

use super::twice::names_twice;
use super::{Code, Diagnostic};
use crate::model::Server;

const HELP: &str = "give one of them another name";

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    // One of each may share a name: they are called by different words.
    let timers = server.timers.iter().map(|timer| (&timer.head, &timer.name));
    names_twice(Code::TimerTwice, "timer", HELP, timers, found);
    let schedules = server.schedules.iter().map(|schedule| (&schedule.head, &schedule.name));
    names_twice(Code::ScheduleTwice, "schedule", HELP, schedules, found);
}
