//! What each client gets, compared with a plain list of what was sent.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tokio::io::ReadBuf;
use tokio::runtime::Builder;
use tokio::task::{unconstrained, yield_now};

use super::history::{history, position, to_group};
use super::*;
use crate::push::engine::policy::{OnLag, Replay};

#[derive(Clone, Copy, Debug)]
enum Step {
    /// To everyone, a group, or a client.
    Publish(To),
    /// Reads so many bytes of a client.
    Read(u8, usize),
    Cut(u8),
    /// Comes back, if it is away: with its position, or one that many too early or
    /// too late.
    Return(u8, i8),
    Join(u8, u8),
    Leave(u8, u8),
    Wait(u8),
}

#[derive(Clone, Copy, Debug)]
enum To {
    Everyone,
    Group(u8),
    Client(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let (client, group) = (0..3_u8, 0..2_u8);
    let to = prop_oneof![
        4 => Just(To::Everyone),
        2 => group.clone().prop_map(To::Group),
        1 => client.clone().prop_map(To::Client),
    ];
    let off = prop_oneof![5 => Just(0_i8), 1 => -3..3_i8];
    prop_oneof![
        10 => to.prop_map(Step::Publish),
        4 => (client.clone(), 0..60_usize).prop_map(|(client, bytes)| Step::Read(client, bytes)),
        1 => client.clone().prop_map(Step::Cut),
        3 => (client.clone(), off).prop_map(|(client, off)| Step::Return(client, off)),
        1 => (client.clone(), group.clone()).prop_map(|(client, group)| Step::Join(client, group)),
        1 => (client.clone(), group).prop_map(|(client, group)| Step::Leave(client, group)),
        1 => (0..4_u8).prop_map(Step::Wait),
    ]
}

/// What was sent, in order; numbers are its indices.
#[derive(Default)]
struct Sent {
    /// Who was in which group then, for each.
    messages: Vec<(To, BTreeSet<(u8, u8)>)>,
}

/// A client as the model knows it.
struct Known {
    peer: Peer<DuplexStream>,
    /// The number from which on it is to get what is meant for it.
    from: usize,
    /// Where it was admitted: what was sent to its groups before is not for it.
    admitted: usize,
    read: Vec<u8>,
    /// Whether its connection has ended: it was told, or didn't take that in time.
    has_ended: bool,
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

    /// Returns the numbers that it has heard, and the close code at their end.
    fn heard(&self) -> (Vec<usize>, Option<u16>) {
        let (mut heard, mut rest) = (Vec::new(), &self.read[..]);
        while let [first, length, payload @ ..] = rest
            && let Some((payload, next)) = payload.split_at_checked(usize::from(*length))
        {
            if *first == CLOSE {
                return (heard, Some(u16::from_be_bytes([payload[0], payload[1]])));
            }
            heard.push(std::str::from_utf8(payload).unwrap().trim().parse().unwrap());
            rest = next;
        }
        (heard, None)
    }
}

fn is_meant(sent: &Sent, number: usize, client: u8, admitted: usize) -> bool {
    match &sent.messages[number] {
        (To::Everyone, _) => true,
        (To::Client(it), _) => *it == client,
        (To::Group(group), members) => number >= admitted && members.contains(&(client, *group)),
    }
}

/// Checks what a client has heard. `is_whole` if nothing may be left for it.
fn check(sent: &Sent, client: u8, known: &Known, is_whole: bool) -> Result<(), TestCaseError> {
    let (heard, closed) = known.heard();
    let meant: Vec<_> = (known.from..sent.messages.len())
        .filter(|number| is_meant(sent, *number, client, known.admitted))
        .collect();
    prop_assert!(meant.starts_with(&heard), "{client}: {heard:?} of {meant:?}");
    if is_whole && closed.is_none() && !known.has_ended {
        prop_assert_eq!(heard, meant);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Compares what each client gets with a plain list of what was sent.
    #[test]
    fn each_client_gets_what_was_meant_for_it_once_and_in_order(
        steps in prop::collection::vec(step(), 1..120),
        messages in prop_oneof![Just(3_usize), Just(10_000)],
        age in prop::option::weighted(0.3, 1..4_u32),
        bytes in prop_oneof![Just(400_usize), Just(1 << 20)],
    ) {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(unconstrained(model(steps, LogBounds { messages, age, bytes })))?;
    }
}

async fn model(steps: Vec<Step>, bounds: LogBounds) -> Result<(), TestCaseError> {
    let server = Server::keep(bounds, history(OnLag::Disconnect, Replay::OnlyNew));
    let mut sent = Sent::default();
    let mut members = BTreeSet::new();
    let mut clients: BTreeMap<u8, Known> = BTreeMap::new();
    // The position of each client that is away.
    let mut away: BTreeMap<u8, usize> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Publish(to) => {
                let audience = match to {
                    To::Everyone => Audience::everyone(None),
                    To::Group(group) => to_group(&group.to_string()),
                    To::Client(client) => {
                        Audience::client(None, client.to_string().parse().unwrap())
                    }
                };
                let text = format!("{:>20}", sent.messages.len());
                server.publish_to(audience, &text).await;
                sent.messages.push((to, members.clone()));
            }
            Step::Read(client, bytes) => {
                if let Some(known) = clients.get_mut(&client) {
                    known.read(bytes).await;
                    check(&sent, client, known, false)?;
                }
            }
            Step::Cut(client) => {
                if let Some(known) = clients.remove(&client) {
                    check(&sent, client, &known, false)?;
                    let (heard, closed) = known.heard();
                    let behind = heard.last().map_or(known.from, |last| last + 1);
                    if closed.is_none() && !known.has_ended {
                        away.insert(client, behind);
                    }
                    members.retain(|(member, _)| *member != client);
                    let id = Audience::client(None, client.to_string().parse().unwrap());
                    for group in 0..2 {
                        let group = group.to_string().into();
                        server.command(Command::Leave(id.clone(), group)).await;
                    }
                }
            }
            Step::Return(client, off) => {
                if clients.contains_key(&client) {
                    continue;
                }
                let next = sent.messages.len();
                let since =
                    away.remove(&client).map(|number| number.saturating_add_signed(off.into()));
                let kept = server.hub.channel("/").unwrap().log().unwrap().with(|log| {
                    log.expire(crate::base::seconds::seconds());
                    log.dropped_to(&None)
                });
                let wanted = since.and_then(|since| position(since as u64));
                let groups = Groups::default();
                let peer = server.enter(&client.to_string(), groups, wanted, 50).await;
                let from = since.unwrap_or(next);
                let mut known =
                    Known { peer, from, admitted: next, read: Vec::new(), has_ended: false };
                let is_known = from <= next && from as u64 >= kept;
                if since.is_some() && !is_known {
                    known.read_all().await;
                    prop_assert_eq!(
                        known.heard(),
                        (vec![], Some(4410)),
                        "{} of {}..{}",
                        from,
                        kept,
                        next
                    );
                    continue;
                }
                known.read(0).await;
                prop_assert_ne!(
                    known.heard().1,
                    Some(4410),
                    "a false gap: {} of {}..{}",
                    from,
                    kept,
                    next
                );
                clients.insert(client, known);
            }
            Step::Join(client, group) | Step::Leave(client, group) => {
                let id = Audience::client(None, client.to_string().parse().unwrap());
                let name = group.to_string().into();
                if clients.contains_key(&client) && matches!(step, Step::Join(..)) {
                    members.insert((client, group));
                    server.command(Command::Join(id, name)).await;
                } else {
                    members.remove(&(client, group));
                    server.command(Command::Leave(id, name)).await;
                }
            }
            Step::Wait(seconds) => tokio::time::sleep(Duration::from_secs(seconds.into())).await,
        }
    }
    for (client, mut known) in clients {
        known.read_all().await;
        check(&sent, client, &known, true)?;
    }
    Ok(())
}
