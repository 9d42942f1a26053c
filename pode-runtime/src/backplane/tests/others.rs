//! Somebody else writes into streams, and deletes them, or what is in them.

use std::time::Duration;

use tokio::time::sleep;

use super::{Faults, NONE, PATHS, in_world};
use crate::backplane::node::Progress;

/// What one node has read and another one hasn't isn't there any more.
#[test]
fn who_loses_all_and_has_others_write_there_says_so() {
    for seed in 0..10 {
        in_world(seed, Faults { loses: true, ..NONE }, async |world| {
            sleep(Duration::from_secs(5)).await;
            let carrier = &world.lives[0].node.carrier;
            carrier.be_deaf(true);
            sleep(Duration::from_secs(2)).await;
            carrier.flush();
            (0..PATHS.len()).for_each(|path| carrier.scribble(path, true));
            carrier.be_deaf(false);
            world.heal().await;
        });
    }
}

/// Not by a node either that has read less than others had when they noticed it.
#[test]
fn what_comes_twice_is_read_by_nobody() {
    for seed in 0..10 {
        in_world(seed, Faults { loses: true, ..NONE }, async |world| {
            sleep(Duration::from_secs(5)).await;
            let node = &world.lives[0].node;
            let (carrier, mut progress) = (&node.carrier, node.progress.subscribe());
            carrier.be_full(true);
            carrier.restart(0);
            let has_begun = |at: &Progress| at.cursors.iter().all(|cursor| cursor.index == 1);
            progress.wait_for(has_begun).await.unwrap();
            carrier.be_deaf(true);
            carrier.be_full(false);
            sleep(Duration::from_secs(2)).await;
            // What waits then goes in one batch.
            carrier.be_full(true);
            carrier.be_away(true);
            sleep(Duration::from_secs(1)).await;
            carrier.be_away(false);
            sleep(Duration::from_secs(3)).await;
            for path in 0..PATHS.len() {
                carrier.evict(path);
                carrier.scribble(path, false);
            }
            carrier.be_full(false);
            sleep(Duration::from_secs(2)).await;
            carrier.be_deaf(false);
            world.heal().await;
        });
    }
}

/// What others write as of another time stands for nothing that was before it.
#[test]
fn what_a_node_missed_is_told_behind_what_is_of_another_time() {
    for seed in 0..10 {
        in_world(seed, Faults { loses: true, trims: true, ..NONE }, async |world| {
            sleep(Duration::from_secs(5)).await;
            let carrier = &world.lives[0].node.carrier;
            carrier.be_deaf(true);
            sleep(Duration::from_secs(2)).await;
            (0..PATHS.len()).for_each(|path| carrier.scribble(path, true));
            carrier.trim(1);
            carrier.be_deaf(false);
            world.heal().await;
        });
    }
}

/// Also where a batch ends with another stream, and where nothing comes behind it.
#[test]
fn what_goes_where_numbers_come_twice_goes_again() {
    for seed in 0..20 {
        in_world(seed, Faults { loses: true, ..NONE }, async |world| {
            for life in &mut world.lives {
                life.stop_publishing().await;
            }
            sleep(Duration::from_secs(30)).await;
            let path = world.dice.below(2) as usize;
            world.carrier.evict(path);
            world.carrier.scribble(path, false);
            let signals = world.lives[0].node.signals.clone();
            let payload = "again:0".to_owned();
            let [one, other] = PATHS.map(|path| signals.send(path, &payload));
            let sent = tokio::join!(one, other);
            assert!(sent.0.is_ok() && sent.1.is_ok(), "{sent:?}");
            world.heal().await;
        });
    }
}
