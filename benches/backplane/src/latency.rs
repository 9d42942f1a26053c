//! How long a message takes from its send to a client, over the backplane and without it.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::frames::{Client, Event};
use crate::measure::tell;
use crate::processes::{Node, Program, Redis, ask_all};
use crate::stamp;

const RATE: u64 = 200;

/// Who sends to a client of which node.
struct Way {
    name: &'static str,
    nodes: Vec<Node>,
    ages: mpsc::Receiver<Duration>,
}

impl Way {
    /// The first node sends to a client of the last one.
    fn start(name: &'static str, redis: &Redis, nodes: usize) -> io::Result<Way> {
        let nodes = Program::own(name)?.start(redis, "latency", nodes)?;
        let mut client = Client::connect(nodes[nodes.len() - 1].port, None)?;
        let (tell, ages) = mpsc::channel();
        thread::spawn(move || {
            while let Ok(Event::Text(text)) = client.next() {
                if let Some(age) = stamp::age(&text)
                    && tell.send(age).is_err()
                {
                    return;
                }
            }
        });
        Ok(Way { name, nodes, ages })
    }

    /// Returns the median, in microseconds.
    fn measure(&mut self, seconds: f64) -> io::Result<f64> {
        let messages = (RATE as f64 * seconds).max(10.0) as usize;
        ask_all(&mut self.nodes[..1], &format!("publish {messages} {RATE}"))?;
        let age = |_| self.ages.recv_timeout(Duration::from_secs(10)).map_err(io::Error::other);
        let mut ages = (0..messages).map(age).collect::<io::Result<Vec<_>>>()?;
        ages.sort();
        Ok(ages[messages / 2].as_secs_f64() * 1e6)
    }
}

pub(crate) fn compare(rounds: usize, seconds: f64) -> io::Result<()> {
    let redis = Redis::start(false)?;
    let ways = [("pode", 2), ("bare", 2), ("pode-alone", 1), ("bare-alone", 1)];
    let ways = ways.into_iter().map(|(name, nodes)| Way::start(name, &redis, nodes));
    let mut ways = ways.collect::<io::Result<Vec<_>>>()?;
    let mut medians = vec![[0.0; 4]; rounds + 1];
    for (round, medians) in medians.iter_mut().enumerate() {
        for place in 0..ways.len() {
            let which = (round + place) % ways.len();
            medians[which] = ways[which].measure(seconds)?;
        }
    }
    // The first round warms up.
    let medians = &medians[1..];
    println!("\nfrom a send to a client of the other node, medians of {RATE}/s");
    for (which, way) in ways.iter().enumerate() {
        tell(way.name, "us", medians.iter().map(|round| round[which]));
    }
    tell("pode / bare", "", medians.iter().map(|round| round[0] / round[1]));
    let added = medians.iter().map(|round| (round[0] - round[2]) / (round[1] - round[3]));
    tell("pode / bare, what the way over Redis adds", "", added);
    Ok(())
}
