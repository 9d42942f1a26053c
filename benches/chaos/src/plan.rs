//! Which faults there are, and when: by the seed alone.

use crate::dice::Dice;

/// How many nodes there are.
pub(crate) const NODES: usize = 3;

/// How Redis keeps what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// `appendonly yes`, `appendfsync everysec`.
    Appending,
    /// Whoever kills it has all lost.
    Forgetful,
    /// A primary that forgets, and a replica that takes its place.
    Replicated,
}

/// What is done to the processes, or between them. Times are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    KillNode {
        node: usize,
        away: u64,
    },
    StopNode {
        node: usize,
        away: u64,
    },
    KillRedis {
        away: u64,
    },
    StopRedis {
        away: u64,
    },
    /// Kills it, and deletes what it has on the disk.
    RestartEmpty {
        away: u64,
    },
    /// `CLIENT KILL TYPE normal`.
    KillConnections,
    FlushAll,
    /// Deletes one stream, as an eviction does.
    Evict {
        stream: usize,
    },
    /// The replica gets nothing for this time, and then takes the primary's place.
    Promote {
        lag: u64,
        kills: bool,
    },
    /// The replica has all when it takes the primary's place.
    FailOver,
    /// Cuts all connections between a node and Redis.
    Cut {
        node: usize,
    },
    /// Cuts all when Redis has the next append, and its answer isn't there.
    CutAppend {
        node: usize,
    },
    /// Cuts one behind so many more bytes of Redis.
    CutReply {
        node: usize,
        bytes: usize,
    },
    /// Cuts one behind so many more bytes of the node.
    CutRequest {
        node: usize,
        bytes: usize,
    },
    /// A node and Redis hear nothing of each other, and no connection ends.
    Freeze {
        node: usize,
        away: u64,
    },
}

impl Fault {
    /// Which node it happens to; Redis if it is none.
    pub(crate) fn node(self) -> Option<usize> {
        match self {
            Fault::KillNode { node, .. }
            | Fault::StopNode { node, .. }
            | Fault::Cut { node }
            | Fault::CutAppend { node }
            | Fault::CutReply { node, .. }
            | Fault::CutRequest { node, .. }
            | Fault::Freeze { node, .. } => Some(node),
            _ => None,
        }
    }

    /// Whether messages may be lost that clients got.
    pub(crate) fn may_lose(self, variant: Variant) -> bool {
        match self {
            Fault::KillRedis { .. } => variant != Variant::Appending,
            Fault::RestartEmpty { .. }
            | Fault::FlushAll
            | Fault::Evict { .. }
            | Fault::Promote { .. } => true,
            _ => false,
        }
    }
}

/// A fault, and how many milliseconds pass before it: since the one before in its lane has
/// ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) pause: u64,
    pub(crate) fault: Fault,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) variant: Variant,
    /// Whether any fault may lose what clients got.
    pub(crate) loses: bool,
    /// Whether a fault waits until all nodes are well after the one before.
    pub(crate) waits: bool,
    /// Side by side: what happens to Redis, to nodes, and between them.
    pub(crate) lanes: Vec<Vec<Step>>,
}

impl Plan {
    /// Makes the plan of a seed, for so many seconds of faults.
    pub(crate) fn of(seed: u64, seconds: u64) -> Plan {
        let variants = [Variant::Appending, Variant::Forgetful, Variant::Replicated];
        let variant = variants[(seed / 2 % 3) as usize];
        let loses = seed % 2 == 1;
        let lanes = (0..3).map(|lane| {
            let mut dice = Dice::new(seed, lane);
            let (mut steps, mut at) = (Vec::new(), 0);
            while at < seconds * 1000 {
                let pause = dice.between(200, 6_000);
                let fault = match lane {
                    0 => of_redis(&mut dice, variant, loses),
                    1 => of_nodes(&mut dice),
                    _ => between(&mut dice),
                };
                at += pause + duration(fault);
                steps.push(Step { pause, fault });
            }
            steps
        });
        Plan { variant, loses, waits: false, lanes: lanes.collect() }
    }

    /// Returns a short one with one fault of each kind that a test has time for.
    pub(crate) fn short() -> Plan {
        let faults = [
            Fault::KillNode { node: 0, away: 100 },
            Fault::CutReply { node: 1, bytes: 200 },
            Fault::CutAppend { node: 2 },
            Fault::KillRedis { away: 100 },
            Fault::KillConnections,
        ];
        let lane = faults.map(|fault| Step { pause: 500, fault }).into();
        Plan { variant: Variant::Appending, loses: false, waits: true, lanes: vec![lane] }
    }
}

fn of_redis(dice: &mut Dice, variant: Variant, loses: bool) -> Fault {
    loop {
        let fault = match dice.below(9) {
            0 | 1 => Fault::KillRedis { away: dice.below(4_000) },
            2 => Fault::StopRedis { away: dice.between(500, 20_000) },
            3 => Fault::KillConnections,
            4 => Fault::FlushAll,
            5 => Fault::Evict { stream: dice.below(3) as usize },
            6 => Fault::RestartEmpty { away: dice.below(2_000) },
            7 => Fault::Promote { lag: dice.between(200, 3_000), kills: dice.below(2) == 0 },
            _ => Fault::FailOver,
        };
        let needs_replica = matches!(fault, Fault::Promote { .. } | Fault::FailOver);
        let is_possible = !needs_replica || variant == Variant::Replicated;
        if is_possible && (loses || !fault.may_lose(variant)) {
            return fault;
        }
    }
}

fn of_nodes(dice: &mut Dice) -> Fault {
    let node = dice.below(NODES as u64) as usize;
    match dice.below(3) {
        0 => Fault::StopNode { node, away: dice.between(500, 20_000) },
        _ => Fault::KillNode { node, away: dice.below(3_000) },
    }
}

fn between(dice: &mut Dice) -> Fault {
    let node = dice.below(NODES as u64) as usize;
    let bytes = dice.between(1, 5_000) as usize;
    match dice.below(6) {
        0 => Fault::Cut { node },
        1 => Fault::CutReply { node, bytes },
        2 => Fault::CutRequest { node, bytes },
        3 | 4 => Fault::CutAppend { node },
        // Longer than a node without sign of life is ready.
        _ => Fault::Freeze { node, away: dice.between(500, 22_000) },
    }
}

fn duration(fault: Fault) -> u64 {
    match fault {
        Fault::KillNode { away, .. }
        | Fault::StopNode { away, .. }
        | Fault::KillRedis { away }
        | Fault::StopRedis { away }
        | Fault::RestartEmpty { away }
        | Fault::Freeze { away, .. } => away,
        Fault::Promote { lag, .. } => lag,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_always_the_same_plan_and_an_even_one_loses_nothing() {
        for seed in 0..100 {
            let plan = Plan::of(seed, 45);
            assert_eq!(plan, Plan::of(seed, 45));
            let may_lose = |step: &Step| step.fault.may_lose(plan.variant);
            assert!(plan.loses || !plan.lanes.iter().flatten().any(may_lose), "{plan:?}");
        }
    }
}
