//! What a message costs: processor time of nodes and of Redis.

use std::io;
use std::time::Instant;

use crate::measure::tell;
use crate::processes::{CpuTime, Node, Program, Redis, ask_all};

/// Who sends, and how much.
#[derive(Clone, Copy)]
enum Load {
    /// All nodes together, in a second.
    Steady(u64),
    /// All nodes, as much as they can.
    Full(u64),
    /// One node alone.
    One(u64),
}

/// The figures of one round.
#[derive(Clone, Copy, Default)]
struct Cost {
    /// Processor time for each message, of the node that sends most, of the last one, and of
    /// the average one.
    first_us: f64,
    last_us: f64,
    node_us: f64,
    redis_us: f64,
    per_second: f64,
}

struct Cluster {
    program: Program,
    nodes: Vec<Node>,
    /// How much all have sent.
    sent: u64,
}

impl Cluster {
    fn start(program: &Program, redis: &Redis, name: &str, count: usize) -> io::Result<Cluster> {
        let nodes = program.start(redis, name, count)?;
        Ok(Cluster { program: program.clone(), nodes, sent: 0 })
    }

    fn measure(&mut self, redis: &Redis, load: Load, seconds: f64) -> io::Result<Cost> {
        let nodes = self.nodes.len() as u64;
        let (senders, messages, rate) = match load {
            Load::Steady(rate) => (nodes, (rate as f64 * seconds) as u64 / nodes, rate / nodes),
            Load::Full(messages) => (nodes, messages / nodes, 0),
            Load::One(rate) => (1, (rate as f64 * seconds) as u64, rate),
        };
        let times = |nodes: &[Node]| -> io::Result<(Vec<CpuTime>, CpuTime)> {
            let of_nodes = nodes.iter().map(|node| CpuTime::of_process(node.id()));
            Ok((of_nodes.collect::<io::Result<_>>()?, CpuTime::of_process(redis.id())?))
        };
        let before = times(&self.nodes)?;
        let start = Instant::now();
        let senders = senders as usize;
        ask_all(&mut self.nodes[..senders], &format!("publish {messages} {rate}"))?;
        let messages = messages * senders as u64;
        self.sent += messages;
        ask_all(&mut self.nodes, &format!("settle {}", self.sent))?;
        let took = start.elapsed();
        let after = times(&self.nodes)?;
        let us = |time: CpuTime| time.ran_ns as f64 / 1e3 / messages as f64;
        let of_nodes =
            after.0.iter().zip(&before.0).map(|(after, before)| us(after.since(*before)));
        let of_nodes: Vec<f64> = of_nodes.collect();
        Ok(Cost {
            first_us: of_nodes[0],
            last_us: of_nodes[of_nodes.len() - 1],
            node_us: of_nodes.iter().sum::<f64>() / of_nodes.len() as f64,
            redis_us: us(after.1.since(before.1)),
            per_second: messages as f64 / took.as_secs_f64(),
        })
    }
}

/// Compares programs of three nodes each, the first of them with each of the others.
pub(crate) fn compare(programs: &[Program], rounds: usize, seconds: f64) -> io::Result<()> {
    let redis = Redis::start(false)?;
    let start = |program: &Program| Cluster::start(program, &redis, "cost", 3);
    let mut clusters = programs.iter().map(start).collect::<io::Result<Vec<_>>>()?;
    let full = (60_000.0 * seconds.min(1.0)) as u64;
    let loads = [
        ("3,000/s of three", Load::Steady(3_000)),
        ("30,000/s of three", Load::Steady(30_000)),
        ("as many as may be of three", Load::Full(full)),
        ("3,000/s of one", Load::One(3_000)),
    ];
    let warm_up = seconds.min(0.2);
    for (what, load) in loads {
        let mut measured = vec![Vec::new(); clusters.len()];
        for cluster in &mut clusters {
            cluster.measure(&redis, load, warm_up)?;
        }
        for round in 0..rounds {
            for place in 0..clusters.len() {
                let which = (round + place) % clusters.len();
                measured[which].push(clusters[which].measure(&redis, load, seconds)?);
            }
        }
        println!("\n{what}");
        for (cluster, costs) in clusters.iter().zip(&measured) {
            let name = cluster.program.name;
            let of = |of: fn(&Cost) -> f64| costs.iter().map(of);
            match load {
                Load::One(_) => {
                    tell(&format!("{name}: the node that sends"), "us", of(|it| it.first_us));
                    tell(&format!("{name}: one that doesn't"), "us", of(|it| it.last_us));
                }
                _ => tell(&format!("{name}: a node"), "us", of(|it| it.node_us)),
            }
            tell(&format!("{name}: Redis"), "us", of(|it| it.redis_us));
            tell(&format!("{name}: messages"), "/s", of(|it| it.per_second));
        }
        for (cluster, costs) in clusters.iter().zip(&measured).skip(1) {
            let (first, ours) = (clusters[0].program.name, &measured[0]);
            let name = cluster.program.name;
            let ratio = |of: fn(&Cost) -> f64| {
                ours.iter().zip(costs).map(move |(ours, theirs)| of(ours) / of(theirs))
            };
            tell(&format!("{first} / {name}: a node"), "", ratio(|it| it.node_us));
            tell(&format!("{first} / {name}: Redis"), "", ratio(|it| it.redis_us));
        }
    }
    Ok(())
}

/// What a message costs with one node, and with more.
pub(crate) fn by_nodes(program: &Program, rounds: usize, seconds: f64) -> io::Result<()> {
    let redis = Redis::start(false)?;
    let start = |nodes: usize| Cluster::start(program, &redis, &format!("of-{nodes}"), nodes);
    let mut clusters = (1..=4).map(start).collect::<io::Result<Vec<_>>>()?;
    let full = (60_000.0 * seconds.min(1.0)) as u64;
    let loads =
        [("12,000/s of all nodes", Load::Steady(12_000)), ("as many as may be", Load::Full(full))];
    for (what, load) in loads {
        let mut measured = vec![Vec::new(); clusters.len()];
        for round in 0..=rounds {
            for place in 0..clusters.len() {
                let which = (round + place) % clusters.len();
                let cost = clusters[which].measure(&redis, load, seconds)?;
                // The first round warms up.
                if round > 0 {
                    measured[which].push(cost);
                }
            }
        }
        println!("\n{what}");
        for (cluster, costs) in clusters.iter().zip(&measured) {
            let name = format!("nodes: {}", cluster.nodes.len());
            let of = |of: fn(&Cost) -> f64| costs.iter().map(of);
            tell(&format!("{name}, a node"), "us", of(|it| it.node_us));
            tell(&format!("{name}, Redis"), "us", of(|it| it.redis_us));
            tell(&format!("{name}, messages"), "/s", of(|it| it.per_second));
        }
    }
    Ok(())
}
