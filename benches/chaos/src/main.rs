//! The command: lets faults happen to three nodes and their Redis, and is a node, too. The
//! README describes what it does.

#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

mod arguments;
mod check;
#[path = "../../child/mod.rs"]
mod child;
mod client;
#[path = "../../dice/mod.rs"]
mod dice;
mod node;
mod plan;
mod present;
mod process;
mod proxy;
mod record;
mod settle;
mod store;
mod victims;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::{fs, io};

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use arguments::{Arguments, USAGE};
use plan::Plan;

fn main() -> ExitCode {
    if !cfg!(target_os = "linux") {
        eprintln!("this needs Linux, whose accounts of processes it reads");
        return ExitCode::from(2);
    }
    let mut words = std::env::args().skip(1).peekable();
    let ran = if words.next_if(|first| first == "node").is_some() {
        let (Some(redis), Some(name)) = (words.next(), words.next()) else {
            eprintln!("usage: pode-chaos node REDIS NAME");
            return ExitCode::from(2);
        };
        node::serve(redis, name).map(|()| true)
    } else {
        let seed = std::env::var("SEED").ok();
        match Arguments::parse(words, seed.as_deref()) {
            Ok(arguments) => run(&arguments),
            Err(wrong) => {
                eprintln!("{wrong}\n{USAGE}");
                return ExitCode::from(2);
            }
        }
    };
    match ran {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the seeds; returns whether nothing was violated.
fn run(arguments: &Arguments) -> io::Result<bool> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut is_well = true;
    for seed in arguments.seeds.clone() {
        let folder = arguments.folder.join(format!("seed-{seed}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        let found = runtime.block_on(async {
            let mut end = signal(SignalKind::terminate())?;
            tokio::select! {
                found = run_seed(seed, arguments, folder.clone()) => found,
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted?;
                    Err(io::ErrorKind::Interrupted.into())
                }
                _ = end.recv() => Err(io::ErrorKind::Interrupted.into()),
            }
        })?;
        if found.is_empty() {
            println!("seed {seed}: well");
            fs::remove_dir_all(&folder)?;
        } else {
            is_well = false;
            println!("seed {seed}: {} violations; see {}", found.len(), folder.display());
            found.iter().for_each(|what| println!("  {what}"));
        }
    }
    Ok(is_well)
}

async fn run_seed(seed: u64, arguments: &Arguments, folder: PathBuf) -> io::Result<Vec<String>> {
    let plan = match arguments.is_short {
        true => Plan::short(),
        false => Plan::of(seed, arguments.seconds),
    };
    let bound = Duration::from_secs(arguments.seconds * 3 + 240);
    match timeout(bound, world::run(seed, plan, arguments.clients, &folder)).await {
        Ok(Ok(found)) => Ok(found),
        // What can't go on is a violation, too.
        Ok(Err(error)) => Ok(vec![error.to_string()]),
        Err(_) => Ok(vec!["it doesn't come to an end".to_owned()]),
    }
}
