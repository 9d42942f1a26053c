//! Signals whose messages have keys: clients have the newest of each.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::Poll;

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::io::ReadBuf;
use tokio::runtime::Builder;
use tokio::task::{unconstrained, yield_now};

use super::history::{history, to_group};
use super::*;
use crate::push::engine::policy::{OnLag, Replay};

const PLENTY: LogBounds = LogBounds { messages: 1_000, age: None, bytes: 64 << 20 };

fn keys(on_lag: OnLag, replay: Replay) -> SubscriberPolicy {
    SubscriberPolicy { has_keys: true, ..history(on_lag, replay) }
}

impl Server {
    /// Sets a key, or removes it.
    async fn set(&self, key: &str, value: Option<&str>) {
        let message = value.map_or_else(Message::removal, Message::text);
        let permit = self.hub.channel("/").unwrap().reserve().await.unwrap();
        Envelope::keyed(None, key.into(), message).publish(permit).unwrap();
    }

    async fn enter_at(&self, since: Option<u64>, bytes: usize) -> Peer<DuplexStream> {
        let since = since.map(|number| Position { epoch: 7, number });
        let new_subscriber = NewSubscriber { speaks: Speaks::V1, ..new_subscriber() };
        self.enter_as(new_subscriber, since, Some(r#""max":1"#.to_owned()), bytes).await
    }
}

#[track_caller]
fn hears<'a>(
    peer: &'a mut Peer<DuplexStream>,
    expected: &'a [Value],
) -> impl Future<Output = ()> + 'a {
    let caller = std::panic::Location::caller();
    async move {
        for value in expected {
            let heard: Value = serde_json::from_str(&peer.hear_text().await).unwrap();
            assert_eq!(heard, *value, "at {caller}");
        }
    }
}

fn hello(at: u64, resumed: Option<bool>) -> Value {
    let mut hello = json!({ "hello": 1, "epoch": "0000000000000007", "at": at, "max": 1 });
    if let Some(resumed) = resumed {
        hello["resumed"] = resumed.into();
    }
    hello
}

#[tokio::test]
async fn a_new_client_gets_the_newest_of_each_key() {
    let server = Server::keep(PLENTY, keys(OnLag::Disconnect, Replay::Last));
    for (key, value) in [("a", "1"), ("b", "2"), ("c", "3"), ("a", "4")] {
        server.set(key, Some(value)).await;
    }
    server.set("c", None).await;
    server.publish_to(to_group("crew"), "5").await;
    let mut plain = server.enter("plain", Groups::default(), None, 1000).await;
    let mut ada = server.enter_at(None, 1000).await;
    let (b, a) =
        (json!({ "at": 2, "key": "b", "data": 2 }), json!({ "at": 4, "key": "a", "data": 4 }));
    hears(&mut ada, &[hello(1, None), b, a.clone(), json!({ "live": 6 })]).await;
    server.set("b", None).await;
    server.set("d", Some("7")).await;
    let d = json!({ "at": 8, "key": "d", "data": 7 });
    hears(&mut ada, &[json!({ "at": 7, "key": "b" }), d.clone()]).await;
    for expected in [2, 4, 7] {
        assert_eq!(plain.hear_text().await, expected.to_string(), "alone, and no removal");
    }
    let mut back = server.enter_at(Some(3), 1000).await;
    let [c, b] = [(5, "c"), (7, "b")].map(|(at, key)| json!({ "at": at, "key": key }));
    let live = json!({ "live": 8 });
    hears(&mut back, &[hello(3, Some(true)), a, c, b, d, live]).await;
    drop((plain, ada, back));
    server.stop().await;
}

#[tokio::test]
async fn who_may_have_keys_that_are_gone_begins_anew() {
    let bounds = LogBounds { messages: 2, ..PLENTY };
    let server = Server::keep(bounds, keys(OnLag::Disconnect, Replay::OnlyNew));
    for key in ["a", "b", "c", "d"] {
        server.set(key, Some("1")).await;
    }
    let state = [(3, "c"), (4, "d")].map(|(at, key)| json!({ "at": at, "key": key, "data": 1 }));
    for since in [1, 9] {
        let mut ada = server.enter_at(Some(since), 1000).await;
        hears(&mut ada, &[hello(2, Some(false)), json!({ "reset": 2 })]).await;
        hears(&mut ada, &state).await;
        hears(&mut ada, &[json!({ "live": 4 })]).await;
    }
    let mut ada = server.enter_at(Some(2), 1000).await;
    hears(&mut ada, &[hello(2, Some(true))]).await;
    hears(&mut ada, &state).await;
    let since = Some(Position { epoch: 7, number: 1 });
    let mut plain = server.enter("plain", Groups::default(), since, 1000).await;
    let (opcode, payload) = plain.receive().await.unwrap();
    assert_eq!((opcode, &payload[..2]), (CLOSE, &4410_u16.to_be_bytes()[..]));
    let mut new = server.enter_at(None, 1000).await;
    hears(&mut new, &[hello(4, None), json!({ "live": 4 })]).await;
    drop((ada, plain, new));
    server.stop().await;
}

/// In whatever form.
#[tokio::test]
async fn a_slow_client_gets_the_newest_of_each_key() {
    const KEYS: usize = 20;
    const ROUNDS: usize = 500;
    let server = Server::keep(PLENTY, keys(OnLag::Disconnect, Replay::OnlyNew));
    let mut plain = server.enter("plain", Groups::default(), None, 100).await;
    let mut ada = server.enter_at(None, 100).await;
    for number in 0..KEYS * ROUNDS {
        let value = number.to_string();
        server.set(&(number % KEYS).to_string(), Some(&value)).await;
    }
    let (mut heard, mut last) = (0, 0);
    while last < KEYS * ROUNDS - 1 {
        let number = plain.hear_text().await.parse().unwrap();
        assert!(number > last || heard == 0);
        (heard, last) = (heard + 1, number);
    }
    assert!((KEYS..100).contains(&heard), "{heard}");
    let (mut state, mut heard) = (BTreeMap::new(), 0);
    while last > 0 {
        let frame: Value = serde_json::from_str(&ada.hear_text().await).unwrap();
        heard += 1;
        if let Some(key) = frame["key"].as_str() {
            let number = frame["data"].as_u64().unwrap();
            state.insert(key.to_owned(), number);
            last = KEYS * ROUNDS - 1 - number as usize;
        }
    }
    assert!((KEYS..100).contains(&heard), "{heard}");
    let expected = (0..KEYS).map(|key| (key.to_string(), (KEYS * (ROUNDS - 1) + key) as u64));
    assert_eq!(state, expected.collect());
    drop((plain, ada));
    server.stop().await;
}

/// A key was dropped, so it may have that, and not know of a newer one.
#[tokio::test]
async fn who_is_overtaken_begins_anew_if_its_signal_says_so() {
    let bounds = LogBounds { messages: 3, ..PLENTY };
    for on_lag in [OnLag::Disconnect, OnLag::Skip, OnLag::Latest] {
        let server = Server::keep(bounds, keys(on_lag, Replay::OnlyNew));
        let mut plain = server.enter("plain", Groups::default(), None, 100).await;
        let mut ada = server.enter_at(None, 100).await;
        for number in 0..100 {
            server.set(&number.to_string(), Some(&number.to_string())).await;
        }
        if on_lag == OnLag::Disconnect {
            let (_, code) = plain.hear_numbers_until_close().await;
            assert_eq!(code, 1013);
            continue;
        }
        let mut last = None;
        while last != Some(99) {
            let number = plain.hear_text().await.parse().unwrap();
            assert!(last.is_none_or(|last| number > last));
            last = Some(number);
        }
        let (mut resets, mut values) = (0, Vec::new());
        while values.last() != Some(&99) {
            let frame: Value = serde_json::from_str(&ada.hear_text().await).unwrap();
            if frame.get("reset").is_some() {
                values.clear();
                resets += 1;
            }
            values.extend(frame["data"].as_u64());
        }
        assert!(resets > 0 && values.ends_with(&[97, 98, 99]), "{values:?}");
        drop((plain, ada));
        server.stop().await;
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Set(u8),
    Remove(u8),
    /// To everybody, without a key.
    Say,
    /// Reads so many bytes of a client.
    Read(u8, usize),
    ReadAll(u8),
    Cut(u8),
    /// Comes back, if it is away, with its position if it has one.
    Return(u8),
    Wait(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let (client, key) = (0..3_u8, 0..6_u8);
    prop_oneof![
        10 => key.clone().prop_map(Step::Set),
        4 => key.prop_map(Step::Remove),
        1 => Just(Step::Say),
        6 => (client.clone(), 0..100_usize).prop_map(|(client, bytes)| Step::Read(client, bytes)),
        1 => client.clone().prop_map(Step::ReadAll),
        2 => client.clone().prop_map(Step::Cut),
        4 => client.prop_map(Step::Return),
        1 => (0..4_u8).prop_map(Step::Wait),
    ]
}

/// A client as its script knows it: it has its values and its position when it is away,
/// too.
#[derive(Default)]
struct Known {
    peer: Option<Peer<DuplexStream>>,
    read: Vec<u8>,
    values: BTreeMap<u8, u64>,
    at: Option<u64>,
    /// Whether it has had all values once.
    is_whole: bool,
}

struct Model {
    server: Server,
    replay: Replay,
    /// What has numbers, in their order: a key and whether it has a value then, which is
    /// the number.
    sent: Vec<Option<(u8, bool)>>,
    /// Whether nothing is dropped by a bound.
    is_roomy: bool,
    clients: [Known; 3],
}

impl Model {
    /// Returns the values at a position.
    fn values(&self, at: u64) -> BTreeMap<u8, u64> {
        let mut values = BTreeMap::new();
        for (number, sent) in (0..at).zip(&self.sent) {
            match sent {
                Some((key, true)) => drop(values.insert(*key, number)),
                Some((key, false)) => drop(values.remove(key)),
                None => {}
            }
        }
        values
    }

    /// Checks what a client has at a position up to which it knows all; of keys that
    /// have changed since, it may have anything older.
    fn check(&self, known: &Known, at: u64) -> Result<(), TestCaseError> {
        let later: Vec<u8> =
            self.sent[at as usize..].iter().filter_map(|sent| Some((*sent)?.0)).collect();
        let settled = |(key, _): &(&u8, &u64)| !later.contains(key);
        let expected = self.values(at);
        for (key, value) in known.values.iter().filter(settled) {
            prop_assert_eq!(Some(value), expected.get(key), "key {} at {}", key, at);
        }
        if known.is_whole && self.is_roomy {
            for (key, _) in expected.iter().filter(settled) {
                prop_assert!(known.values.contains_key(key), "key {} at {}", key, at);
            }
        }
        Ok(())
    }

    async fn read(&mut self, client: u8, bytes: usize) -> Result<usize, TestCaseError> {
        let mut known = std::mem::take(&mut self.clients[usize::from(client)]);
        let mut length = 0;
        if let Some(peer) = &mut known.peer {
            for _ in 0..5 {
                yield_now().await;
            }
            let mut buffer = vec![0; bytes];
            let mut read = ReadBuf::new(&mut buffer);
            let reading = std::future::poll_fn(|context| {
                Poll::Ready(Pin::new(&mut peer.0).poll_read(context, &mut read))
            });
            let is_ready = reading.await.is_ready();
            known.read.extend_from_slice(read.filled());
            length = read.filled().len();
            while let [first, length, payload @ ..] = &known.read[..]
                && let Some((payload, _)) = payload.split_at_checked(usize::from(*length))
            {
                let (first, length) = (*first, *length);
                match first {
                    TEXT => {
                        let frame = serde_json::from_slice(payload).unwrap();
                        self.hear(&mut known, &frame)?;
                    }
                    _ => known.peer = None,
                }
                known.read.drain(..2 + usize::from(length));
            }
            if is_ready && bytes > 0 && length == 0 {
                known.peer = None;
            }
        }
        self.clients[usize::from(client)] = known;
        Ok(length)
    }

    fn hear(&self, known: &mut Known, frame: &Value) -> Result<(), TestCaseError> {
        let number = |name: &str| frame.get(name).and_then(Value::as_u64);
        let before = known.at.unwrap_or_default();
        if number("reset").is_some() || frame.get("resumed") == Some(&false.into()) {
            known.values.clear();
            known.is_whole = true;
            known.at = number("reset").or(number("at"));
        } else if let Some(at) = number("live") {
            prop_assert!(at >= before);
            known.at = Some(at);
            self.check(known, at)?;
        } else if let Some(at) = number("at") {
            prop_assert!(frame.get("hello").is_some() || at > before, "{frame} behind {before}");
            known.at = Some(at);
            if let Some(key) = frame.get("key") {
                let key: u8 = key.as_str().unwrap().parse().unwrap();
                let data = number("data");
                prop_assert_eq!(self.sent[at as usize - 1], Some((key, data.is_some())));
                match data {
                    Some(value) => drop(known.values.insert(key, value)),
                    None => drop(known.values.remove(&key)),
                }
            }
        }
        Ok(())
    }

    async fn read_all(&mut self, client: u8) -> Result<(), TestCaseError> {
        let mut quiet = 0;
        while quiet < 20 {
            quiet = if self.read(client, 1000).await? == 0 { quiet + 1 } else { 0 };
        }
        let known = &self.clients[usize::from(client)];
        if known.peer.is_some() {
            self.check(known, self.sent.len() as u64)?;
            if known.is_whole {
                let kept = channel(&self.server).log().unwrap().with(|log| {
                    let kept = log.kept().filter(|kept| !kept.entry.frame.is_empty());
                    kept.filter_map(|kept| kept.entry.key?.parse().ok()).collect::<Vec<u8>>()
                });
                prop_assert!(kept.iter().all(|key| known.values.contains_key(key)));
            }
        }
        Ok(())
    }

    async fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Set(key) => {
                let value = self.sent.len().to_string();
                self.sent.push(Some((key, true)));
                self.server.set(&key.to_string(), Some(&value)).await;
            }
            Step::Remove(key) => {
                self.sent.push(Some((key, false)));
                self.server.set(&key.to_string(), None).await;
            }
            Step::Say => {
                self.sent.push(None);
                self.server.publish_to(Audience::everyone(None), "0").await;
            }
            Step::Read(client, bytes) => drop(self.read(client, bytes).await?),
            Step::ReadAll(client) => self.read_all(client).await?,
            Step::Cut(client) => self.clients[usize::from(client)].peer = None,
            Step::Return(client) if self.clients[usize::from(client)].peer.is_none() => {
                let since = self.clients[usize::from(client)].at;
                let peer = self.server.enter_at(since, 50).await;
                let known = &mut self.clients[usize::from(client)];
                known.read.clear();
                known.is_whole |=
                    since.is_none() && matches!(self.replay, Replay::Last | Replay::All);
                known.peer = Some(peer);
            }
            Step::Return(_) => {}
            Step::Wait(seconds) => sleep(Duration::from_secs(seconds.into())).await,
        }
        Ok(())
    }
}

fn channel(server: &Server) -> &pode_core::hub::Channel<Envelope> {
    server.hub.channel("/").unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whoever_is_live_has_the_state_after_whatever_cuts(
        steps in prop::collection::vec(step(), 1..160),
        messages in prop_oneof![Just(2_usize), Just(10_000)],
        age in prop::option::weighted(0.5, 1..4_u32),
        bytes in prop_oneof![1 => Just(2_000_usize), 2 => Just(1 << 20)],
        on_lag in prop_oneof![Just(OnLag::Disconnect), Just(OnLag::Skip), Just(OnLag::Latest)],
        replay in prop_oneof![
            Just(Replay::OnlyNew),
            Just(Replay::Last),
            Just(Replay::Messages(2)),
            Just(Replay::All)
        ],
    ) {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(unconstrained(async {
            let server = Server::keep(LogBounds { messages, age, bytes }, keys(on_lag, replay));
            let is_roomy = messages == 10_000 && bytes == 1 << 20;
            let clients = Default::default();
            let mut model = Model { server, replay, sent: Vec::new(), is_roomy, clients };
            for step in steps {
                model.step(step).await?;
            }
            for client in 0..3 {
                model.step(Step::Return(client)).await?;
                model.read_all(client).await?;
            }
            Ok::<_, TestCaseError>(())
        }))?;
    }
}
