//! The kinds of clients, and how many there are of each.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::{FOREVER, GROUPS, Load, abuses, hoard, requests, visits};
use crate::dice::Dice;

/// What a client does each time it connects.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    News,
    Ticks,
    Team(usize),
    /// Listens from start to end.
    Stays,
    Talks,
    Slow,
    ReadsNothing,
    Resets,
    HalfOpen,
    Silent,
    BreaksRules,
    Asks,
    /// Opens no window by HTTP/2.
    Hoards,
    /// Leaves before its messages are handled.
    LeavesEarly,
    /// Sends a form without end.
    Floods,
    /// Asks for an answer whose handler blocks its thread.
    Blocks,
}

/// Distributes the clients over the kinds.
pub(super) fn kinds(clients: usize) -> Vec<Kind> {
    let shares = [
        (Kind::News, 0.33),
        (Kind::Ticks, 0.2),
        (Kind::Team(0), 0.06),
        (Kind::Team(1), 0.06),
        (Kind::Team(2), 0.06),
        (Kind::Team(3), 0.06),
        (Kind::Stays, 0.06),
        (Kind::Talks, 0.06),
        (Kind::Slow, 0.01),
        (Kind::ReadsNothing, 0.005),
        (Kind::Resets, 0.02),
        (Kind::HalfOpen, 0.01),
        (Kind::Silent, 0.01),
        (Kind::BreaksRules, 0.01),
        (Kind::Asks, 0.01),
        (Kind::Hoards, 0.01),
        (Kind::LeavesEarly, 0.01),
        (Kind::Floods, 0.01),
        // One, however many there are: more would block all threads.
        (Kind::Blocks, 0.0),
    ];
    // At least one of each.
    let count = |share: f64| ((clients as f64 * share).ceil() as usize).max(1);
    shares.into_iter().flat_map(|(kind, share)| vec![kind; count(share)]).collect()
}

/// Connects as one kind of client and leaves, again and again.
pub(super) async fn come_and_go(load: Arc<Load>, kind: Kind, number: usize) {
    let mut dice = Dice::new(number as u64, 0);
    // Spread out, so that not all connect at the same moment.
    sleep(Duration::from_millis(dice.below(2_000))).await;
    while !load.is_stopped() {
        let stay = Duration::from_millis(500 + dice.below(15_000));
        match kind {
            Kind::News => visits::follow(&load, &load.news, "/news", stay).await,
            Kind::Ticks => visits::follow(&load, &load.ticks, "/ticks", stay).await,
            Kind::Stays => visits::follow(&load, &load.news, "/news", FOREVER).await,
            Kind::Team(team) => {
                let path = format!("/team?group={}", GROUPS[team]);
                visits::follow(&load, &load.teams[team], &path, stay).await;
            }
            Kind::Talks => visits::talk(&load, stay, &mut dice).await,
            Kind::Slow => visits::read_slowly(&load, &load.bulk, "/bulk").await,
            Kind::ReadsNothing => abuses::read_nothing(&load, "/bulk").await,
            Kind::Resets => abuses::reset_somewhere(&load, &mut dice).await,
            Kind::HalfOpen => abuses::stay_half_open(&load, &mut dice).await,
            Kind::Silent => abuses::stay_silent(&load).await,
            Kind::BreaksRules => abuses::break_a_rule(&load, &mut dice).await,
            Kind::Asks => requests::ask(&load, &mut dice).await,
            Kind::Hoards => hoard::hoard(&load).await,
            Kind::LeavesEarly => abuses::leave_early(&load, &mut dice).await,
            Kind::Floods => abuses::flood_a_form(&load).await,
            Kind::Blocks => requests::block(&load).await,
        }
        sleep(Duration::from_millis(dice.below(300))).await;
    }
}
