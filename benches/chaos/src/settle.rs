//! What must be so again after the last fault.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::client::Heard;
use crate::node::GRACE;
use crate::plan::NODES;
use crate::present::misled;
use crate::record::Outcome;
use crate::world::{PATIENCE, Phase, ROOMS, World, lock};

/// How long a server needs to have all clients live again.
const RECOVERY: Duration = Duration::from_secs(10);

/// How long nodes take to find out that one is gone, whose clients are others now: four of
/// their own beats, and some more, as one of them may have just begun.
const GONE: Duration = Duration::from_secs(35);

/// Waits until all is well again, and says what isn't.
pub(crate) async fn settle(
    world: &World,
    heard: &[Arc<Mutex<Heard>>],
    publishers: &mut JoinSet<()>,
) {
    world.phase.send_replace(Phase::Settled);
    let begun = Instant::now();
    if timeout(PATIENCE, world.all_are_ready()).await.is_err() {
        world.wrong("some node isn't ready again".to_owned());
    }
    if begun.elapsed() > RECOVERY {
        world.wrong(format!("the nodes were ready after {:?}", begun.elapsed()));
    }
    world.log(&format!("ready after {:?}", begun.elapsed()));
    let all_are_live = async {
        while !heard.iter().all(|heard| lock(heard).is_live) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    if timeout(RECOVERY, all_are_live).await.is_err() {
        let clients = heard.iter().filter(|heard| !lock(heard).is_live).count();
        world.wrong(format!("{clients} clients aren't live again"));
    }
    world.log(&format!("all are live after {:?}", begun.elapsed()));
    world.phase.send_replace(Phase::Quiet);
    let silence = async { while publishers.join_next().await.is_some() {} };
    if timeout(PATIENCE, silence).await.is_err() {
        world.wrong("a send doesn't end".to_owned());
        publishers.abort_all();
    }
    let mut markers = HashMap::<String, usize>::new();
    let paths = ["/news".to_owned(), "/chat".to_owned()].into_iter();
    for path in paths.chain((0..ROOMS).map(|room| format!("/rooms/{room}"))) {
        for node in 0..NODES {
            let Some(place) = world.place(node) else { continue };
            let text = format!("marker.{node}.{path}");
            match timeout(PATIENCE, world.send(&place, &path, text)).await {
                Ok(Outcome::Sent) => *markers.entry(path.clone()).or_default() += 1,
                other => world.wrong(format!("n{node} can't send at the end: {other:?}")),
            }
        }
    }
    let lacking = || {
        let mut lacking = Vec::new();
        for heard in heard {
            let heard = lock(heard);
            let expected = markers.get(&heard.trace.path).copied().unwrap_or_default();
            if heard.markers.len() < expected || heard.kept > 0 {
                lacking.push(format!(
                    "{} at {} has {} of {expected} last messages, and {} of its own aren't acknowledged",
                    heard.trace.name, heard.trace.path, heard.markers.len(), heard.kept
                ));
            }
        }
        lacking
    };
    let all_have_all = async {
        while !lacking().is_empty() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    if timeout(RECOVERY, all_have_all).await.is_err() {
        lacking().into_iter().for_each(|what| world.wrong(what));
    }
    let all_know_who_is_there = async {
        while !misled(world, heard).await.is_empty() {
            sleep(Duration::from_millis(250)).await;
        }
    };
    if timeout_at(begun + RECOVERY + GRACE + GONE, all_know_who_is_there).await.is_err() {
        misled(world, heard).await.into_iter().for_each(|what| world.wrong(what));
    }
    world.log(&format!("all know who is there after {:?}", begun.elapsed()));
    let mut epochs = HashMap::<String, usize>::new();
    for heard in heard {
        let heard = lock(heard);
        if !heard.trace.is_plain {
            *epochs.entry(heard.epoch.clone()).or_default() += 1;
        }
    }
    if epochs.len() > 1 {
        world.wrong(format!("clients are in different epochs: {epochs:?}"));
    }
}
