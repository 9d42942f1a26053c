//! What each client gets, compared with a plain list of what was sent: by one process,
//! or by two that hand over, as fast or slow as they hear of each other. One of the
//! clients speaks `pode.v1`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;

use pode_core::hub::{Kept, Notice};
use proptest::prelude::*;
use serde_json::Value;
use tokio::io::ReadBuf;
use tokio::runtime::Builder;
use tokio::task::{unconstrained, yield_now};

use super::history::{history, to_group};
use super::*;
use crate::base::seconds::seconds;
use crate::push::engine::policy::{OnLag, Replay};

#[derive(Clone, Copy, Debug)]
enum Step {
    /// By the older process, if there are two, or by the newer one.
    Publish(Process, To),
    Join(Process, u8, u8),
    Leave(Process, u8, u8),
    /// Reads so many bytes of a client.
    Read(u8, usize),
    Cut(u8),
    /// Comes back, if it is away: with its position, or one that many too early or
    /// too late.
    Return(u8, i8),
    Wait(u8),
    /// A newer process takes over.
    Begin,
    /// A process hears so much of the other one.
    Hear(Process, u8),
    /// The older process sends its clients away, and ends.
    End,
    /// The newer process dies.
    Die,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Process {
    Older,
    Newer,
}

#[derive(Clone, Copy, Debug)]
enum To {
    Everyone,
    Group(u8),
    Client(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let (client, group) = (0..3_u8, 0..2_u8);
    let process = prop_oneof![Just(Process::Older), Just(Process::Newer)];
    let to = prop_oneof![
        4 => Just(To::Everyone),
        2 => group.clone().prop_map(To::Group),
        1 => client.clone().prop_map(To::Client),
    ];
    let off = prop_oneof![5 => Just(0_i8), 1 => -3..3_i8];
    let change = (process.clone(), client.clone(), group);
    prop_oneof![
        10 => (process.clone(), to).prop_map(|(process, to)| Step::Publish(process, to)),
        1 => change.clone().prop_map(|(process, client, group)| Step::Join(process, client, group)),
        1 => change.prop_map(|(process, client, group)| Step::Leave(process, client, group)),
        4 => (client.clone(), 0..60_usize).prop_map(|(client, bytes)| Step::Read(client, bytes)),
        1 => client.clone().prop_map(Step::Cut),
        3 => (client, off).prop_map(|(client, off)| Step::Return(client, off)),
        1 => (0..4_u8).prop_map(Step::Wait),
        1 => Just(Step::Begin),
        4 => (process, 0..4_u8).prop_map(|(process, notices)| Step::Hear(process, notices)),
        1 => Just(Step::End),
        1 => Just(Step::Die),
    ]
}

/// What is published.
#[derive(Clone, Copy, Debug)]
enum Published {
    /// With its text.
    Message(To, usize),
    Join(u8, u8),
    Leave(u8, u8),
}

impl Published {
    fn envelope(self) -> Envelope {
        let client = |client: u8| Audience::client(None, client.to_string().parse().unwrap());
        let command = |command| Envelope::Command(Arc::new(command));
        match self {
            Published::Message(to, text) => {
                let audience = match to {
                    To::Everyone => Audience::everyone(None),
                    To::Group(group) => to_group(&group.to_string()),
                    To::Client(it) => client(it),
                };
                Envelope::new(audience, Message::text(&format!("{text:>20}")))
            }
            Published::Join(who, group) => {
                command(Command::Join(client(who), group.to_string().into()))
            }
            Published::Leave(who, group) => {
                command(Command::Leave(client(who), group.to_string().into()))
            }
        }
    }

    fn change(self, members: &mut BTreeSet<(u8, u8)>) {
        match self {
            Published::Message(..) => {}
            Published::Join(client, group) => drop(members.insert((client, group))),
            Published::Leave(client, group) => drop(members.remove(&(client, group))),
        }
    }
}

/// A message, and who was in which group when it was sent.
struct Sent {
    to: To,
    text: usize,
    members: BTreeSet<(u8, u8)>,
}

/// The client that speaks `pode.v1`.
const V1: u8 = 2;

/// A client as the model knows it.
struct Known {
    peer: Peer<DuplexStream>,
    process: Process,
    /// The number from which on it is to get what is meant for it.
    from: usize,
    /// Where it was admitted: what was sent to its groups before is not for it.
    admitted: usize,
    read: Vec<u8>,
    /// Whether its connection has ended: it was told, or didn't take that in time.
    has_ended: bool,
}

fn number(value: &Value) -> Option<usize> {
    value.as_u64().map(|number| number as usize)
}

impl Known {
    /// Reads at most so many bytes, if they are there.
    async fn read(&mut self, bytes: usize) {
        let mut buffer = vec![0; bytes];
        for _ in 0..3 {
            yield_now().await;
        }
        let mut read = ReadBuf::new(&mut buffer);
        let reading = std::future::poll_fn(|context| {
            std::task::Poll::Ready(
                std::pin::Pin::new(&mut self.peer.0).poll_read(context, &mut read),
            )
        });
        let is_ready = reading.await.is_ready();
        self.has_ended |= is_ready && bytes > 0 && read.filled().is_empty();
        self.read.extend_from_slice(read.filled());
    }

    async fn read_all(&mut self) {
        let mut quiet = 0;
        while quiet < 20 {
            let before = self.read.len();
            self.read(1000).await;
            quiet = if self.read.len() == before { quiet + 1 } else { 0 };
        }
    }

    /// Returns the texts that it has heard, and what it was told at their end.
    fn heard(&self) -> (Vec<usize>, Option<(u16, String)>) {
        let (frames, told) = self.frames();
        let text = |frame: &[u8]| match serde_json::from_slice(frame).unwrap() {
            Value::Object(frame) => number(frame.get("data")?),
            text => number(&text),
        };
        (frames.into_iter().filter_map(text).collect(), told)
    }

    /// Returns the positions that it was told by `pode.v1`, with the text that each
    /// stands behind.
    fn positions(&self) -> Vec<(usize, Option<usize>)> {
        let position = |frame: Value| {
            let at = number(&frame["at"]).or(number(&frame["live"]))?;
            Some((at, number(&frame["data"])))
        };
        self.objects().filter_map(position).collect()
    }

    /// Returns the gap that it was told.
    fn gap(&self) -> Option<(usize, usize)> {
        self.objects()
            .find_map(|frame| Some((number(&frame["gap"][0])?, number(&frame["gap"][1])?)))
    }

    fn objects(&self) -> impl Iterator<Item = Value> {
        self.frames().0.into_iter().map(|frame| serde_json::from_slice(frame).unwrap())
    }

    fn frames(&self) -> (Vec<&[u8]>, Option<(u16, String)>) {
        let (mut frames, mut rest) = (Vec::new(), &self.read[..]);
        while let [first, length, payload @ ..] = rest
            && let Some((payload, next)) = payload.split_at_checked(usize::from(*length))
        {
            if *first == CLOSE {
                let (code, reason) = payload.split_at(2);
                let reason = String::from_utf8(reason.to_vec()).unwrap();
                return (frames, Some((u16::from_be_bytes([code[0], code[1]]), reason)));
            }
            frames.push(payload);
            rest = next;
        }
        (frames, None)
    }
}

/// What is known of two processes.
struct TwoProcesses {
    newer: Server,
    /// What the older one has published and not heard of since, in order, and how
    /// much of it the newer one has heard of.
    underway: VecDeque<Published>,
    heard: usize,
    /// What is published, and the older one hasn't heard of.
    unheard: VecDeque<Published>,
    /// Who is in which group, as far as the older one knows.
    members: BTreeSet<(u8, u8)>,
}

struct Model {
    bounds: LogBounds,
    older: Server,
    two: Option<TwoProcesses>,
    epoch: u64,
    earlier: Vec<(u64, usize)>,
    /// What has numbers, in their order; they are the indices.
    sent: Vec<Sent>,
    texts: usize,
    members: BTreeSet<(u8, u8)>,
    clients: BTreeMap<u8, Known>,
    /// The position of each client that is away.
    away: BTreeMap<u8, Position>,
}

fn channel(server: &Server) -> &pode_core::hub::Channel<Envelope> {
    server.hub.channel("/").unwrap()
}

fn start(bounds: LogBounds) -> Server {
    Server::keep(bounds, history(OnLag::Disconnect, Replay::OnlyNew))
}

impl Model {
    /// The process that new clients find.
    fn serving(&self) -> &Server {
        self.two.as_ref().map_or(&self.older, |two| &two.newer)
    }

    async fn publish(&mut self, process: Process, published: Published) {
        let Some(two) = &mut self.two else { return self.publish_alone(published).await };
        if process == Process::Newer {
            let permit = channel(&two.newer).reserve().await.unwrap();
            assert!(published.envelope().publish(permit).unwrap().is_none());
            two.unheard.push_back(published);
            return self.number(published);
        }
        // Else there may be no capacity.
        if two.underway.len() == 8 {
            self.hear_all().await;
        }
        let permit = channel(&self.older).reserve().await.unwrap();
        assert!(published.envelope().publish(permit).unwrap().is_some());
        self.two.as_mut().unwrap().underway.push_back(published);
    }

    async fn publish_alone(&mut self, published: Published) {
        let permit = channel(&self.older).reserve().await.unwrap();
        assert!(published.envelope().publish(permit).unwrap().is_none());
        self.number(published);
    }

    /// Notes that something has its place in the order.
    fn number(&mut self, published: Published) {
        published.change(&mut self.members);
        if let Published::Message(to, text) = published {
            self.sent.push(Sent { to, text, members: self.members.clone() });
        }
    }

    async fn begin(&mut self) {
        if self.two.is_some() {
            return;
        }
        let newer = start(self.bounds);
        let log = channel(&self.older).follow().await.unwrap().unwrap();
        let Position { epoch, number: next } = log.position();
        let (_, number) = log.gaps().last().unwrap();
        let own = channel(&newer).log().unwrap();
        let mut copy =
            own.with(|log_| log_.successor(Position { epoch, number }, log.earlier().to_vec()));
        log.gaps()
            .filter_map(|(path, from)| Some((path?.clone(), from)))
            .for_each(|(path, from)| copy.set_gap(path, from));
        for Kept { number, sent, entry } in log.kept() {
            copy.skip_to(number);
            copy.push(entry, sent);
        }
        copy.skip_to(next);
        channel(&newer).lead(copy, |_| None).await.unwrap();
        let (underway, unheard) = Default::default();
        let members = self.members.clone();
        self.two = Some(TwoProcesses { newer, underway, heard: 0, unheard, members });
    }

    /// Returns how much it heard.
    async fn hear(&mut self, process: Process, at_most: usize) -> usize {
        let Some(two) = &mut self.two else { return 0 };
        if process == Process::Newer {
            let notices = channel(&self.older).take_notices(at_most);
            for notice in &notices {
                let Notice::Sent(envelope) = notice else { panic!("{notice:?}") };
                let two = self.two.as_mut().unwrap();
                let permit = channel(&two.newer).reserve().await.unwrap();
                permit.publish_theirs(envelope.clone(), seconds).unwrap();
                let published = two.underway[two.heard];
                two.heard += 1;
                two.unheard.push_back(published);
                self.number(published);
            }
            return notices.len();
        }
        let notices = channel(&two.newer).take_notices(at_most);
        for notice in &notices {
            two.unheard.pop_front().unwrap().change(&mut two.members);
            match notice {
                Notice::Published { number, parcel } => {
                    let permit = channel(&self.older).reserve_for_theirs().await.unwrap();
                    permit.put_theirs(parcel, *number, seconds).unwrap();
                }
                Notice::Back { number } => {
                    two.underway.pop_front().unwrap();
                    two.heard -= 1;
                    channel(&self.older).take_back(*number, seconds).unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
        notices.len()
    }

    async fn hear_all(&mut self) {
        while self.hear(Process::Newer, 4).await + self.hear(Process::Older, 4).await > 0 {}
        assert!(channel(&self.older).is_idle());
    }

    /// Ends the older process.
    async fn end(&mut self) -> Result<(), TestCaseError> {
        self.hear_all().await;
        let Some(two) = self.two.take() else { return Ok(()) };
        self.older.command(Command::Drain { share: EVERYBODY, code: 1012, reason: "bye" }).await;
        let (stay, mut leave): (BTreeMap<_, _>, BTreeMap<_, _>) = mem::take(&mut self.clients)
            .into_iter()
            .partition(|(_, known)| known.process == Process::Newer);
        self.clients = stay;
        for (client, known) in &mut leave {
            known.read_all().await;
            self.check(*client, known, true)?;
            if let (_, Some((1012, reason))) = known.heard() {
                let position: Position =
                    reason.strip_prefix("bye; resume=").unwrap().parse().unwrap();
                prop_assert_eq!(position.epoch, self.epoch);
                // Exactly: nothing that it has heard, and nothing that it hasn't.
                let behind = known.heard().0.len();
                prop_assert_eq!(self.meant(*client, known).len() - behind, {
                    known.from = position.number as usize;
                    self.meant(*client, known).len()
                });
                self.away.insert(*client, position);
            }
        }
        drop(leave);
        let older = mem::replace(&mut self.older, two.newer);
        channel(&self.older).lead_nobody();
        older.stop().await;
        for known in self.clients.values_mut() {
            known.process = Process::Older;
        }
        Ok(())
    }

    /// Ends the newer process: what it has published, and the older one hasn't heard
    /// of, is gone with its clients.
    async fn die(&mut self) -> Result<(), TestCaseError> {
        let Some(two) = self.two.take() else { return Ok(()) };
        let theirs: Vec<u8> = self
            .clients
            .iter()
            .filter(|(_, known)| known.process == Process::Newer)
            .map(|(client, _)| *client)
            .collect();
        for client in theirs {
            self.cut(client)?;
        }
        let TwoProcesses { newer, underway, members, .. } = two;
        newer.stop().await;
        let Position { epoch, number } = channel(&self.older).position().unwrap();
        self.sent.truncate(number as usize);
        self.earlier.push((epoch, number as usize));
        self.members = members;
        self.epoch += 1;
        channel(&self.older).follow_nobody(self.epoch, seconds).await;
        underway.into_iter().for_each(|published| self.number(published));
        Ok(())
    }

    fn cut(&mut self, client: u8) -> Result<(), TestCaseError> {
        let Some(known) = self.clients.remove(&client) else { return Ok(()) };
        self.check(client, &known, false)?;
        let (heard, closed) = known.heard();
        let number_of = |text| self.sent.iter().position(|sent| sent.text == text).unwrap();
        let behind = match known.positions().last() {
            Some((at, _)) if client == V1 => *at,
            _ => heard.last().map_or(known.from, |last| number_of(*last) + 1),
        };
        if closed.is_none() && !known.has_ended {
            self.away.insert(client, Position { epoch: self.epoch, number: behind as u64 });
        }
        Ok(())
    }

    async fn come_back(&mut self, client: u8, off: i8) -> Result<(), TestCaseError> {
        if self.clients.contains_key(&client) {
            return Ok(());
        }
        let next = self.sent.len();
        let since = self.away.remove(&client).map(|Position { epoch, number }| Position {
            epoch,
            number: number.saturating_add_signed(off.into()),
        });
        let kept = channel(self.serving()).log().unwrap().with(|log| {
            log.expire(seconds());
            log.dropped_to(&None) as usize
        });
        let (speaks, hello) = match client {
            V1 => (Speaks::V1, Some(r#""id":"2""#.to_owned())),
            _ => (Speaks::Plain, None),
        };
        let id = client.to_string().parse().unwrap();
        let new_subscriber = NewSubscriber { id, speaks, ..new_subscriber() };
        let peer = self.serving().enter_as(new_subscriber, since, hello, 50).await;
        self.members.retain(|(member, _)| *member != client);
        let process = if self.two.is_some() { Process::Newer } else { Process::Older };
        let from = since.map_or(next, |since| since.number as usize);
        let mut known =
            Known { peer, process, from, admitted: next, read: Vec::new(), has_ended: false };
        let is_known = since.is_none_or(|Position { epoch, .. }| {
            let end = if epoch == self.epoch {
                Some(next)
            } else {
                let mut newest = self.earlier.iter().rev().take(16);
                newest.find(|(earlier, _)| *earlier == epoch).map(|(_, end)| *end)
            };
            from >= kept && end.is_some_and(|end| from <= end)
        });
        if client == V1 {
            // In steps, so that what comes after that is slowly read.
            while known.positions().is_empty() || !is_known && known.gap().is_none() {
                known.read(1).await;
                prop_assert!(!known.has_ended);
            }
            if !is_known {
                known.from = kept;
            }
            prop_assert_eq!(known.positions()[0].0, known.from);
            prop_assert_eq!(known.gap(), (!is_known).then_some((from, kept)));
        } else if !is_known {
            known.read_all().await;
            let (heard, told) = known.heard();
            let told = told.map(|(code, _)| code);
            prop_assert_eq!(
                (heard, told),
                (vec![], Some(4410)),
                "{:?} of {}..{}",
                since,
                kept,
                next
            );
            return Ok(());
        }
        known.read(0).await;
        let is_gap = matches!(known.heard(), (_, Some((4410, _))));
        prop_assert!(!is_gap, "a false gap: {since:?} of {kept}..{next}");
        self.clients.insert(client, known);
        Ok(())
    }

    /// Returns the texts that are meant for a client.
    fn meant(&self, client: u8, known: &Known) -> Vec<usize> {
        let numbered = self.sent.iter().enumerate().skip(known.from);
        let meant = numbered.filter(|(number, sent)| match sent.to {
            To::Everyone => true,
            To::Client(it) => it == client,
            To::Group(group) => {
                *number >= known.admitted && sent.members.contains(&(client, group))
            }
        });
        meant.map(|(_, sent)| sent.text).collect()
    }

    /// Checks what a client has heard. `is_whole` if nothing may be left for it.
    fn check(&self, client: u8, known: &Known, is_whole: bool) -> Result<(), TestCaseError> {
        let (heard, told) = known.heard();
        let meant = self.meant(client, known);
        prop_assert!(meant.starts_with(&heard), "{client}: {heard:?} of {meant:?}");
        if client == V1 {
            let positions = known.positions();
            prop_assert!(positions.is_sorted_by_key(|(at, _)| *at), "{positions:?}");
            for (at, text) in positions {
                let here = text.map(|_| self.sent[at - 1].text);
                prop_assert_eq!(text, here, "at {}", at);
            }
        }
        if is_whole && told.is_none() && !known.has_ended {
            prop_assert_eq!(heard, meant);
        }
        Ok(())
    }

    async fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Publish(process, to) => {
                self.texts += 1;
                self.publish(process, Published::Message(to, self.texts)).await;
            }
            Step::Join(process, client, group) if self.clients.contains_key(&client) => {
                self.publish(process, Published::Join(client, group)).await;
            }
            Step::Join(process, client, group) | Step::Leave(process, client, group) => {
                self.publish(process, Published::Leave(client, group)).await;
            }
            Step::Read(client, bytes) => {
                if let Some(mut known) = self.clients.remove(&client) {
                    known.read(bytes).await;
                    self.check(client, &known, false)?;
                    self.clients.insert(client, known);
                }
            }
            Step::Cut(client) => self.cut(client)?,
            Step::Return(client, off) => self.come_back(client, off).await?,
            Step::Wait(seconds) => sleep(Duration::from_secs(seconds.into())).await,
            Step::Begin => self.begin().await,
            Step::Hear(process, notices) => drop(self.hear(process, notices.into()).await),
            Step::End => self.end().await?,
            Step::Die => self.die().await?,
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn each_client_gets_what_was_meant_for_it_once_and_in_order(
        steps in prop::collection::vec(step(), 1..160),
        messages in prop_oneof![Just(3_usize), Just(10_000)],
        age in prop::option::weighted(0.3, 1..4_u32),
        bytes in prop_oneof![Just(400_usize), Just(1 << 20)],
    ) {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(unconstrained(async {
            let bounds = LogBounds { messages, age, bytes };
            let mut model = Model {
                bounds,
                older: start(bounds),
                two: None,
                epoch: 7,
                earlier: Vec::new(),
                sent: Vec::new(),
                texts: 0,
                members: BTreeSet::new(),
                clients: BTreeMap::new(),
                away: BTreeMap::new(),
            };
            for step in steps {
                model.step(step).await?;
            }
            model.hear_all().await;
            for (client, mut known) in mem::take(&mut model.clients) {
                known.read_all().await;
                model.check(client, &known, true)?;
            }
            Ok::<_, TestCaseError>(())
        }))?;
    }
}
