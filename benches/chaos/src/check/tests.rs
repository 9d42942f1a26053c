//! Records of which it is known what is wrong with them.

use super::*;
use crate::record::{Handled, Send};

fn opened(at: u64, resumed: Option<bool>) -> Event {
    Event::Opened { life: "n0.1".to_owned(), epoch: "e".to_owned(), at, resumed }
}

fn message(number: u64, text: &str) -> Event {
    Event::Message { number: Some(number), text: text.to_owned() }
}

fn trace(name: &str, events: &[Event]) -> Trace {
    Trace {
        name: name.to_owned(),
        path: "/news".to_owned(),
        is_plain: false,
        events: events.iter().cloned().zip(0..).map(|(event, at)| (at, event)).collect(),
        sent: 0,
        acknowledged: 0,
        again: BTreeSet::new(),
    }
}

fn sent(text: &str, outcome: Outcome) -> Send {
    let (life, path) = ("n0.1".to_owned(), "/news".to_owned());
    Send { at: 0, life, path, text: text.to_owned(), outcome }
}

#[track_caller]
fn finds(record: &Record, expected: &[&str]) {
    let found = check(record);
    let kinds: Vec<_> = found.iter().filter_map(|what| what.split(": ").next()).collect();
    assert_eq!(kinds, expected, "{found:?}");
}

/// One client gets two messages, and another one what is given.
fn record(events: &[Event]) -> Record {
    let all = [opened(5, None), message(5, "sent.n0.1.0:0"), message(6, "sent.n0.1.0:1")];
    let clients = vec![trace("c0", &all), trace("c1", events)];
    Record { clients, ..Record::default() }
}

#[test]
fn what_a_client_mustnt_see_is_found() {
    let [none, one, two] =
        [opened(5, None), message(5, "sent.n0.1.0:0"), message(6, "sent.n0.1.0:1")];
    let gap = Event::Gap { from: 5, to: 6, why: "epoch".to_owned() };
    let end = Event::At { at: 7, epoch: None };
    finds(&record(&[none.clone(), one.clone(), two.clone(), end.clone()]), &[]);
    finds(&record(&[none.clone(), one.clone()]), &[]);
    finds(&record(&[none.clone(), two.clone()]), &["missing, and untold"]);
    finds(&record(&[none.clone(), one.clone(), end.clone()]), &["missing, and untold"]);
    finds(&record(&[none.clone(), message(5, "other")]), &["one number, two messages"]);
    finds(
        &record(&[none.clone(), one.clone(), two.clone(), message(7, "sent.n0.1.0:0")]),
        &["twice", "out of order"],
    );
    finds(&record(&[none.clone(), two.clone(), one.clone()]), &["positions rise", "out of order"]);
    finds(&record(&[none.clone(), gap.clone(), two.clone()]), &["a gap that is none"]);
    finds(&record(&[none.clone(), opened(6, Some(false))]), &["a gap that is none"]);
    finds(&record(&[none.clone(), opened(7, None)]), &[]);
    let closed = Event::Closed { code: 1011, reason: String::new() };
    finds(&record(&[none.clone(), closed]), &["closed"]);
    let lost = Record { first_loss: Some(0), ..record(&[none, gap, two]) };
    finds(&lost, &[]);
}

#[test]
fn what_redis_has_lost_may_be_missing_if_that_is_told_or_nobody_can_tell() {
    let heads = HashMap::from([("/news".to_owned(), 5)]);
    let term = Term { first: 10, epoch: "f".to_owned(), heads };
    let told = Event::Gap { from: 6, to: 12, why: "epoch".to_owned() };
    let begun = Event::At { at: 11, epoch: Some("f".to_owned()) };
    let [one, two] = [message(5, "sent.n0.1.0:0"), message(11, "sent.n0.1.0:2")];
    let next = [opened(5, None), one, begun, two];
    let mut lost = record(&next);
    (lost.terms, lost.first_loss) = (vec![term], Some(0));
    finds(&lost, &["missing, and untold"]);
    let with_told = [&next[..], &[told]].concat();
    let told = Record { clients: vec![trace("c1", &with_told)], ..Record::default() };
    let all = std::mem::replace(&mut lost.clients, told.clients);
    lost.clients.extend(all.into_iter().take(1));
    finds(&lost, &[]);
    lost.clients[0] = trace("c1", &next);
    lost.killed.insert("n0.1".to_owned(), 1);
    finds(&lost, &[]);
}

#[test]
fn what_senders_and_handlers_mustnt_see_is_found() {
    let mut all = record(&[]);
    for (text, outcome) in [
        ("sent.n0.1.0:0", Outcome::NotSent),
        ("sent.n0.1.0:1", Outcome::Unknown),
        ("sent.n0.1.0:2", Outcome::Sent),
    ] {
        all.sends.push(sent(text, outcome));
    }
    finds(&all, &["not sent, but delivered", "sent, but not delivered"]);
    let mut all = record(&[]);
    (all.clients[0].sent, all.clients[0].acknowledged) = (4, 4);
    all.clients[0].again.insert(4);
    // The first is handled once, the second twice, and the third not at all.
    for (number, is_flagged) in [(1, false), (2, false), (2, true), (4, false), (4, true)] {
        let (life, who) = ("n0.1".to_owned(), "c0".to_owned());
        all.handled.push(Handled { life, who, number, is_flagged });
    }
    finds(&all, &["handled twice", "acknowledged, but not handled"]);
}

#[test]
fn a_timer_that_fires_twice_or_too_seldom_is_found() {
    let life = || "n0.1".to_owned();
    let fired = |slots: std::ops::Range<u64>| Record {
        fired: slots.map(|slot| (slot * 2_000, life())).collect(),
        begun_ms: 100_000,
        fires: (0, 80_000),
        ..Record::default()
    };
    finds(&fired(50..90), &[]);
    finds(&fired(50..85), &["fired too seldom"]);
    let mut twice = fired(50..90);
    twice.fired.push((110_000, "n1.1".to_owned()));
    finds(&twice, &["fired twice"]);
    let mut with_fault = fired(50..85);
    with_fault.faults.push(Struck { node: None, from: 70_000, to: 72_000 });
    finds(&with_fault, &[]);
}
