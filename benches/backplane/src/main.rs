//! Measures what a message costs that goes over the backplane: see the README.
//!
//! It needs Linux, whose accounts of processes it reads, and `redis-server`.
#![cfg(target_os = "linux")]

mod cost;
mod frames;
mod latency;
#[path = "../../measure/mod.rs"]
mod measure;
mod node;
mod outage;
mod peers;
mod processes;
mod stamp;
mod storm;

use std::{env, io};

use processes::Program;

const PARTS: [&str; 6] = ["cost", "latest", "nodes", "latency", "storm", "outage"];

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [node, kind, url, name] = &arguments[..]
        && node == "node"
    {
        return node::run(kind, url, name);
    }
    let (mut parts, mut with_peers, mut is_quick) = (Vec::new(), false, false);
    let (mut rounds, mut seconds) = (11, 1.0);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut value = || -> io::Result<f64> {
            let value = words.next().and_then(|value| value.parse().ok());
            value.ok_or_else(|| io::Error::other(format!("`{word}` needs a number")))
        };
        match &**word {
            "--rounds" => rounds = value()? as usize,
            "--seconds" => seconds = value()?,
            "--peers" => with_peers = true,
            "--quick" => (rounds, seconds, is_quick) = (1, 0.1, true),
            part if PARTS.contains(&part) => parts.push(part.to_owned()),
            _ => {
                let parts = PARTS.join(", ");
                return Err(io::Error::other(format!("`{word}` is none of {parts}")));
            }
        }
    }
    let is_wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    processes::raise_descriptor_limit()?;
    if is_wanted("cost") {
        let own = ["pode", "bare", "publish"].map(Program::own);
        let mut programs = own.into_iter().collect::<io::Result<Vec<_>>>()?;
        if with_peers {
            programs.extend(peers::fetch()?);
        }
        cost::compare(&programs, rounds, seconds)?;
    }
    if is_wanted("latest") {
        let programs = ["pode-latest", "pode-unkeyed"].map(Program::own);
        let programs = programs.into_iter().collect::<io::Result<Vec<_>>>()?;
        cost::compare(&programs, rounds, seconds)?;
    }
    if is_wanted("nodes") {
        cost::by_nodes(&Program::own("pode")?, rounds, seconds)?;
    }
    if is_wanted("latency") {
        latency::compare(rounds, seconds)?;
    }
    if is_wanted("storm") {
        storm::measure(is_quick)?;
    }
    if is_wanted("outage") {
        outage::measure(is_quick)?;
    }
    Ok(())
}
