//! Timers and schedules: valid code that is close to a mistake.

#![deny(warnings)]

use pode::prelude::*;

pode_server! {
    server example;
    // PODE090, PODE091: the rarest day that exists.
    schedule "leap" cron "0 0 29 2 *", "@twice-yearly" => async |_| {};
    // PODE092: the shortest interval, and an expression.
    timer "fast" every 1ms => async |_| {};
    timer "slow" every std::time::Duration::MAX => async |_| {};
    // PODE093, PODE094: a timer and a schedule may share a name.
    timer "leap" every 1_000h => async |_| {};
    // The words of where it fires, and an expression.
    timer "here" every 1s { on: EveryNode, limit: 2 } => async |_| {};
    timer "once" every 1s { on: pode::FiresOn::OneNode } => async |event| println!("{:?}", event.fence());
    schedule "once" cron "@hourly" { on: OneNode } => async |event| println!("{:?}", event.fence());
}

#[test]
fn can_be_made() {
    let _ = example();
}
