//! Timers and schedules: their names.

use super::twice::names_twice;
use super::{Code, Diagnostic};
use crate::model::Server;

const HELP: &str = "give one of them another name";

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    // A timer and a schedule may share a name: different methods invoke them.
    let timers = server.timers.iter().map(|timer| (&timer.head, &timer.name));
    names_twice(Code::TimerTwice, "timer", HELP, timers, found);
    let schedules = server.schedules.iter().map(|schedule| (&schedule.head, &schedule.name));
    names_twice(Code::ScheduleTwice, "schedule", HELP, schedules, found);
}
