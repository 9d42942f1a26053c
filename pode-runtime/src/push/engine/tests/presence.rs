//! Who is present, as clients know it, compared with a plain table.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use pode_core::hub::{PresenceChange, Stay};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::io::ReadBuf;
use tokio::runtime::Builder;
use tokio::task::yield_now;

use super::history::history;
use super::*;
use crate::push::engine::policy::{OnLag, Replay};

/// Of how many each is told.
const MOST: usize = 3;

const PLENTY: LogBounds = LogBounds { messages: 10_000, age: None, bytes: 64 << 20 };

fn present(policy: SubscriberPolicy) -> SubscriberPolicy {
    SubscriberPolicy { presence: MOST, ..policy }
}

fn stay(number: u8) -> Stay {
    Stay { node: u64::from(number % 2), number: number.into() }
}

fn join(id: u8, info: u8, of: u8) -> PresenceChange {
    let (id, info) = (id.to_string().parse().unwrap(), info.to_string().into());
    PresenceChange::Join { path: None, id, info, stay: stay(of) }
}

fn leave(id: u8, of: u8) -> PresenceChange {
    PresenceChange::Leave { path: None, id: id.to_string().parse().unwrap(), stay: stay(of) }
}

impl Server {
    async fn change(&self, change: PresenceChange) {
        let permit = self.hub.channel("/").unwrap().reserve().await.unwrap();
        let envelope = Envelope::Command(Arc::new(Command::Presence(change)));
        envelope.publish(permit).unwrap();
    }

    async fn listen(
        &self,
        id: &str,
        since: Option<Position>,
        speaks: Speaks,
        bytes: usize,
    ) -> Peer<DuplexStream> {
        let new_subscriber = NewSubscriber { id: id.parse().unwrap(), speaks, ..new_subscriber() };
        let hello = (speaks.form() == Speaks::V1.form()).then(|| format!(r#""id":"{id}""#));
        self.enter_as(new_subscriber, since, hello, bytes).await
    }
}

async fn hears(peer: &mut Peer<DuplexStream>, expected: &[Value]) {
    for value in expected {
        assert_eq!(serde_json::from_str::<Value>(&peer.hear_text().await).unwrap(), *value);
    }
}

fn hello(number: u64) -> Value {
    json!({ "hello": 1, "epoch": "0000000000000007", "at": number, "id": "l" })
}

const V1: Speaks = Speaks::V1;

#[tokio::test(start_paused = true)]
async fn who_is_there_is_told_with_its_place_among_the_messages() {
    let server = Server::keep(PLENTY, present(history(OnLag::Disconnect, Replay::All)));
    server.publish_numbers(0..1).await;
    server.change(join(1, 7, 0)).await;
    let mut client = server.listen("l", None, V1, 1000).await;
    let mut plain = server.listen("plain", None, Speaks::Plain, 1000).await;
    let (data, here) = (json!({ "at": 1, "data": 0 }), json!({ "here": { "1": 7 } }));
    hears(&mut client, &[hello(0), data, here, json!({ "live": 2 })]).await;
    server.change(join(2, 8, 1)).await;
    server.publish_numbers(3..4).await;
    // What changes nothing isn't told.
    server.change(join(2, 8, 2)).await;
    server.change(leave(2, 1)).await;
    server.change(join(2, 9, 2)).await;
    server.change(leave(2, 2)).await;
    hears(
        &mut client,
        &[
            json!({ "at": 3, "join": "2", "info": 8 }),
            json!({ "at": 4, "data": 3 }),
            json!({ "at": 7, "join": "2", "info": 9 }),
            json!({ "at": 8, "leave": "2" }),
        ],
    )
    .await;
    drop(client);
    // Whoever comes back is told what it missed, and then who is there.
    server.publish_numbers(8..9).await;
    let since = Some(Position { epoch: 7, number: 3 });
    let mut client = server.listen("l", since, V1, 1000).await;
    let mut greeted = hello(3);
    greeted["resumed"] = true.into();
    let here = json!({ "here": { "1": 7 } });
    let missed = [json!({ "at": 4, "data": 3 }), json!({ "at": 9, "data": 8 })];
    hears(&mut client, &[greeted]).await;
    hears(&mut client, &missed).await;
    hears(&mut client, &[here, json!({ "live": 9 })]).await;
    for number in [0, 3, 8] {
        assert_eq!(plain.hear_text().await, number.to_string(), "and nothing else");
    }
    drop((client, plain));
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn of_many_their_number_is_told_and_no_more_than_once_a_second() {
    let server = Server::keep(PLENTY, present(history(OnLag::Disconnect, Replay::OnlyNew)));
    let mut client = server.listen("l", None, V1, 10_000).await;
    hears(&mut client, &[hello(0), json!({ "here": {} }), json!({ "live": 0 })]).await;
    for id in 1..=100 {
        server.change(join(id, 0, 0)).await;
    }
    for id in 1..=3_u8 {
        let joined = json!({ "at": id, "join": id.to_string(), "info": 0 });
        hears(&mut client, &[joined]).await;
    }
    let counted = |count: usize| json!({ "here": null, "count": count });
    hears(&mut client, &[counted(4), counted(100)]).await;
    let mut other = server.listen("m", None, V1, 10_000).await;
    let greeted = json!({ "hello": 1, "epoch": "0000000000000007", "at": 100, "id": "m" });
    hears(&mut other, &[greeted, counted(100), json!({ "live": 100 })]).await;
    for id in (5..=100).rev() {
        server.change(leave(id, 0)).await;
    }
    hears(&mut client, &[counted(4)]).await;
    // One that comes and goes has nobody told of all others again and again.
    for _ in 0..30 {
        server.change(leave(4, 0)).await;
        hears(&mut client, &[counted(3)]).await;
        server.change(join(4, 0, 0)).await;
        hears(&mut client, &[counted(4)]).await;
    }
    server.change(leave(4, 0)).await;
    hears(&mut client, &[counted(3)]).await;
    // Nor one that is there for a moment, when nobody counts.
    sleep(Duration::from_millis(500)).await;
    for _ in 0..30 {
        sleep(Duration::from_secs(1)).await;
        server.change(join(4, 0, 0)).await;
        server.change(leave(4, 0)).await;
    }
    server.publish_numbers(0..1).await;
    hears(&mut client, &[json!({ "at": 318, "data": 0 })]).await;
    let here = json!({ "here": { "1": 0, "2": 0, "3": 0 } });
    hears(&mut client, &[here]).await;
    server.change(leave(3, 0)).await;
    hears(&mut client, &[json!({ "at": 319, "leave": "3" })]).await;
    drop((client, other));
    server.stop().await;
}

/// A client that takes nothing isn't told of each change when it goes on.
#[tokio::test(start_paused = true)]
async fn changes_of_any_number_take_no_memory_of_a_slow_client() {
    for has_history in [true, false] {
        let policy = match has_history {
            true => history(OnLag::Disconnect, Replay::OnlyNew),
            false => policy(QueueLimits::default(), Duration::ZERO),
        };
        let bounds = if has_history { PLENTY } else { LogBounds::default() };
        let server = Server::keep(bounds, present(policy));
        let mut slow = server.listen("l", None, V1, 150).await;
        hears(&mut slow, &[hello(0), json!({ "here": {} }), json!({ "live": 0 })]).await;
        server.publish_numbers(0..50).await;
        for number in 0..5_000 {
            server.change(join(1, (number % 7) as u8, 0)).await;
        }
        server.change(join(1, 9, 0)).await;
        for number in 0..50 {
            hears(&mut slow, &[json!({ "at": number + 1, "data": number })]).await;
        }
        hears(&mut slow, &[json!({ "here": { "1": 9 } })]).await;
        server.change(leave(1, 0)).await;
        let told: Value = serde_json::from_str(&slow.hear_text().await).unwrap();
        assert_eq!(told["leave"], "1");
        drop(slow);
        server.stop().await;
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Join(u8, u8, u8),
    Leave(u8, u8),
    Only,
    Publish,
    /// Reads so many bytes of a client.
    Read(u8, usize),
    Cut(u8),
    /// Comes, and resumes if that is said.
    Come(u8, bool),
    Wait(u8),
    /// Time passes.
    Beat,
}

fn step() -> impl Strategy<Value = Step> {
    let (id, of, client) = (0..6_u8, 0..3_u8, 0..3_u8);
    prop_oneof![
        8 => (id.clone(), 0..3_u8, of.clone()).prop_map(|(id, info, of)| Step::Join(id, info, of)),
        6 => (id, of).prop_map(|(id, of)| Step::Leave(id, of)),
        1 => Just(Step::Only),
        6 => Just(Step::Publish),
        6 => (client.clone(), 0..400_usize).prop_map(|(client, bytes)| Step::Read(client, bytes)),
        1 => client.clone().prop_map(Step::Cut),
        4 => (client, any::<bool>()).prop_map(|(client, resumes)| Step::Come(client, resumes)),
        3 => (0..6_u8).prop_map(Step::Wait),
        1 => Just(Step::Beat),
    ]
}

type Table = BTreeMap<String, u64>;

/// What a client knows of who is present.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    Nothing,
    Each(Table),
    Count(usize),
}

struct Listener {
    peer: Peer<DuplexStream>,
    unread: Vec<u8>,
    known: Known,
    is_closed: bool,
}

impl Listener {
    /// Takes so many bytes at most, if they are there; returns whether any were.
    fn take(&mut self, most: usize) -> bool {
        let mut bytes = vec![0; most];
        let mut buffer = ReadBuf::new(&mut bytes);
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(&mut self.peer.0).poll_read(&mut context, &mut buffer) {
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                self.unread.extend(buffer.filled());
                true
            }
            Poll::Ready(_) if most > 0 => {
                self.is_closed = true;
                false
            }
            _ => false,
        }
    }

    /// Reads the frames that are there; returns the last position.
    fn read(&mut self, tables: &BTreeMap<u64, Table>) -> Option<u64> {
        let mut last = None;
        loop {
            let (length, head) = match self.unread[..] {
                [_, 126, high, low, ..] => (usize::from(high) << 8 | usize::from(low), 4),
                [_, length, ..] if length < 126 => (length.into(), 2),
                _ => return last,
            };
            if self.unread.len() < head + length {
                return last;
            }
            let frame: Vec<u8> = self.unread.drain(..head + length).collect();
            if frame[0] != TEXT {
                self.is_closed = true;
                continue;
            }
            let told: Value = serde_json::from_slice(&frame[head..]).unwrap();
            last = ["at", "live"].iter().find_map(|it| told[*it].as_u64()).or(last);
            if let Some(here) = told.get("here") {
                self.known = match here.as_object() {
                    Some(here) => {
                        let info =
                            |(id, info): (&String, &Value)| (id.clone(), info.as_u64().unwrap());
                        Known::Each(here.iter().map(info).collect())
                    }
                    None => Known::Count(told["count"].as_u64().unwrap() as usize),
                };
                assert!(
                    matches!(&self.known, Known::Count(_))
                        || here.as_object().unwrap().len() <= MOST
                );
            }
            let news = ["join", "leave"].iter().find_map(|it| told[*it].as_str());
            let Some(id) = news else { continue };
            let Known::Each(table) = &mut self.known else {
                panic!("{told} of those it doesn't know")
            };
            match told["info"].as_u64() {
                Some(info) => assert_ne!(table.insert(id.to_owned(), info), Some(info), "{told}"),
                None => assert!(table.remove(id).is_some(), "{told} before it has joined"),
            }
            if let Some(there) = tables.get(&told["at"].as_u64().unwrap()) {
                assert_eq!(table, there, "behind {told}");
            }
        }
    }
}

async fn run(steps: Vec<Step>, messages: usize, on_lag: OnLag, has_history: bool) {
    let bounds = LogBounds { messages, age: None, bytes: 2_000 };
    let policy = match has_history {
        true => history(on_lag, Replay::Messages(2)),
        false => policy(QueueLimits { on_lag, ..limits(3, 200) }, Duration::ZERO),
    };
    let server = Server::keep(bounds, present(policy));
    let mut stays: BTreeMap<u8, (u8, BTreeSet<u8>)> = BTreeMap::new();
    let (mut tables, mut number) = (BTreeMap::new(), 0);
    let mut listeners: [Option<Listener>; 3] = [const { None }; 3];
    let mut positions = [None; 3];
    for step in steps {
        let mut change = None;
        match step {
            Step::Join(id, info, of) => {
                let present = stays.entry(id).or_default();
                present.0 = info;
                present.1.insert(of);
                change = Some(join(id, info, of));
            }
            Step::Leave(id, of) => {
                stays.entry(id).or_default().1.remove(&of);
                change = Some(leave(id, of));
            }
            Step::Only => {
                stays.values_mut().for_each(|(_, of)| of.retain(|of| stay(*of).node == 0));
                change = Some(PresenceChange::Only { node: 0 });
            }
            Step::Publish => {
                number += 1;
                server.publish_numbers(0..1).await;
            }
            Step::Read(client, bytes) => {
                let index = usize::from(client);
                if let Some(listener) = &mut listeners[index] {
                    listener.take(bytes);
                    positions[index] = listener.read(&tables).or(positions[index]);
                }
            }
            Step::Cut(client) => listeners[usize::from(client)] = None,
            Step::Come(client, resumes) => {
                let index = usize::from(client);
                if listeners[index].as_ref().is_none_or(|it| it.is_closed) {
                    let since = positions[index].filter(|_| resumes);
                    let since = since.map(|number| Position { epoch: 7, number });
                    let bytes = [60, 300, 4_000][index];
                    let peer = server.listen(&format!("l{index}"), since, V1, bytes).await;
                    let (unread, known) = (Vec::new(), Known::Nothing);
                    listeners[index] = Some(Listener { peer, unread, known, is_closed: false });
                }
            }
            Step::Wait(times) => {
                for _ in 0..times {
                    yield_now().await;
                }
            }
            Step::Beat => sleep(Duration::from_secs(1)).await,
        }
        if let Some(change) = change {
            number += 1;
            stays.retain(|_, (_, of)| !of.is_empty());
            let table = stays.iter().map(|(id, (info, _))| (id.to_string(), u64::from(*info)));
            // Of one that ends many stays, each is told.
            if !matches!(change, PresenceChange::Only { .. }) {
                tables.insert(number, table.collect::<Table>());
            }
            server.change(change).await;
        }
    }
    let table: Table =
        stays.iter().map(|(id, (info, _))| (id.to_string(), u64::from(*info))).collect();
    let expected = match table.len() {
        count if count > MOST => Known::Count(count),
        _ => Known::Each(table),
    };
    for listener in listeners.iter_mut().flatten() {
        for _ in 0..12 {
            while listener.take(10_000) {
                listener.read(&tables);
                for _ in 0..20 {
                    yield_now().await;
                }
            }
            sleep(Duration::from_secs(1)).await;
        }
        if !listener.is_closed {
            assert_eq!(listener.known, expected);
        }
    }
    drop(listeners);
    server.stop().await;
}

proptest! {
    #[test]
    fn whoever_is_live_knows_who_is_there(
        steps in prop::collection::vec(step(), 1..120),
        messages in 0..3_usize,
        lag in 0..3_usize,
        has_history in any::<bool>(),
    ) {
        let on_lag = [OnLag::Disconnect, OnLag::Skip, OnLag::Latest][lag];
        let has_history = has_history && messages > 0;
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(run(steps, messages, on_lag, has_history));
    }
}
