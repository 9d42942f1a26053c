//! What was said last in each room and of each key, which is the same at all nodes, however
//! little the carrier keeps.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pode_core::{Message, SignalPath};
use tokio::time::sleep;

use super::{Faults, Life, NONE, PATHS, World, in_world, seeds};
use crate::backplane::memory::Dice;
use crate::push::engine::{Audience, Envelope, Lasting, Recipients};
use crate::push::publisher::Signals;

/// At the first path, messages have keys.
pub(super) fn lasting() -> HashMap<&'static str, Lasting> {
    PATHS.map(|path| path.as_str()).into_iter().zip([Lasting::OfKeys, Lasting::OfPaths]).collect()
}

/// Of each room, or each key there, all that was said; `true` if that is removed.
#[derive(Clone, Debug, Default)]
pub(super) struct Said(BTreeMap<String, BTreeMap<u64, bool>>);

pub(super) type Lasts = Arc<Mutex<Said>>;

impl Said {
    pub(super) fn hear(&mut self, path: &'static str, number: u64, envelope: &Envelope) {
        if let Some(last_of) = lasting()[path].last_of(envelope) {
            self.0.entry(last_of.name).or_default().insert(number, last_of.is_removed);
        }
    }

    fn add(&mut self, other: &Said) {
        for (name, numbers) in &other.0 {
            self.0.entry(name.clone()).or_default().extend(numbers);
        }
    }

    /// Returns the last of each before this number.
    fn last(&self, before: u64) -> BTreeMap<String, u64> {
        let last = self.0.iter().filter_map(|(name, numbers)| {
            let (number, is_removed) = numbers.range(..before).next_back()?;
            (!is_removed).then_some((name.clone(), *number))
        });
        last.collect()
    }
}

/// Says something in one of few rooms, in most of them now and then.
pub(super) async fn speak(
    signals: Signals,
    path: SignalPath<String>,
    dice: Dice,
    is_silent: Arc<AtomicBool>,
) {
    while !is_silent.load(Ordering::Relaxed) {
        let room = 40 / (1 + dice.below(40));
        let room = (room > 1).then(|| format!("{}/{room}", path.as_str()).into());
        let message = Message::text("\"said\"");
        let envelope = match lasting()[path.as_str()] {
            Lasting::OfKeys => {
                let message = if dice.is(20) { Message::removal() } else { message };
                Envelope::keyed(room, dice.below(2).to_string().into(), message)
            }
            Lasting::OfPaths => {
                let recipients = match dice.below(3) {
                    // What is for all rooms, others send.
                    0 if room.is_some() => Recipients::Everyone,
                    0 | 1 => Recipients::Group("crew".into()),
                    _ => Recipients::Client("ada".parse().unwrap()),
                };
                let except = dice.is(20).then(|| "bob".parse().unwrap());
                Envelope::new(Audience { except, ..Audience::of(room, recipients) }, message)
            }
        };
        // Whatever becomes of it.
        let _ = signals.post(path.as_str(), None, envelope).await;
        sleep(Duration::from_millis(dice.below(4_000))).await;
    }
}

impl Life {
    /// Returns how far this node is, and what it has as the last of each room or key.
    fn last(&self, path: usize) -> (u64, BTreeMap<String, u64>) {
        let log = self.channel(path).log().unwrap();
        log.with(|log| {
            let mut said = Said::default();
            for kept in log.kept() {
                let entry = kept.entry;
                // As it was sent.
                let (room, message) = (entry.path.cloned(), Message::text(""));
                let envelope = match (entry.key, entry.audience.as_deref()) {
                    (Some(key), _) => {
                        let message =
                            if entry.frame.is_empty() { Message::removal() } else { message };
                        Envelope::keyed(room, Arc::clone(key), message)
                    }
                    (None, Some(audience)) => {
                        let audience = Audience { path: room, ..audience.clone() };
                        Envelope::new(audience, message)
                    }
                    (None, None) => Envelope::new(Audience::everyone(room), message),
                };
                said.hear(PATHS[path].as_str(), kept.number, &envelope);
            }
            (log.position().number, said.last(u64::MAX))
        })
    }
}

impl World {
    /// Returns all that any node has heard in rooms.
    fn said(&self, path: usize) -> Said {
        let mut all = Said::default();
        for life in self.lives.iter().chain(&self.ended) {
            all.add(&life.said[path].lock().unwrap());
        }
        all
    }

    /// Checks that all nodes have the same, and nothing that is older than what any has
    /// heard.
    pub(super) fn check_last(&self) {
        for path in 0..PATHS.len() {
            let heard = self.said(path).0;
            let (_, expected) = self.lives[0].last(path);
            for life in &self.lives {
                let (_, last) = life.last(path);
                assert_eq!(last, expected, "{} at {path}", life.name);
                for (name, number) in &last {
                    let newest = heard.get(name).and_then(|it| it.last_key_value());
                    let is_newest = newest.is_none_or(|(newest, _)| number >= newest);
                    assert!(is_newest, "{} has {number} of {name}, not {newest:?}", life.name);
                }
            }
        }
    }
}

/// At the moment when it has loaded, too, whatever others say meanwhile.
#[test]
fn who_begins_has_the_last_of_each_room_and_key() {
    for seed in seeds().take(30) {
        in_world(seed, Faults { trims: true, ..NONE }, async |world| {
            sleep(Duration::from_secs(15)).await;
            world.carrier.keep(1 + world.dice.below(30) as usize);
            sleep(Duration::from_secs(1)).await;
            if world.dice.is(20) {
                world.carrier.trim(0);
            }
            world.begin();
            let new = world.lives.last().unwrap();
            new.node.loaded().await;
            let loaded = [0, 1].map(|path| new.last(path));
            sleep(Duration::from_secs(1)).await;
            for (path, (position, last)) in loaded.into_iter().enumerate() {
                // What nobody else has read before it was trimmed is known to this node alone:
                // something newer, or a removal, of which there are few.
                let expected = world.said(path).last(position);
                let newer = |(name, number): &(&String, &u64)| last.get(*name) >= Some(*number);
                assert!(expected.iter().filter(newer).count() * 2 >= expected.len(), "at {path}");
                for (name, number) in &last {
                    let is_newest = expected.get(name).is_none_or(|expected| number >= expected);
                    assert!(is_newest, "{number} of {name} at {path}, not of {expected:?}");
                }
            }
            world.carrier.keep(usize::MAX);
            world.heal().await;
        });
    }
}
