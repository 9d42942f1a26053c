//! Sending: from a typed payload to the channel of its path.
//!
//! `sending` is a send that can still be narrowed to some clients, `presence` changes who
//! is there.

mod presence;
mod sending;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pode_core::hub::{Arrival, Attending, Channel, Hub, Position};
use pode_core::level::Sendable;
use pode_core::{ClientId, KeyedTarget, Message, Payload, SendError, SignalTarget};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use self::sending::Target;
pub use self::sending::{SendFuture, Sending};
use crate::push::engine::{Audience, Command, Envelope, random_epoch};

/// Sends payloads to the clients of a server; a cheap handle to clone.
///
/// Every event has the same methods. A payload is encoded once, at the call.
/// Messages of one sender arrive in the order they were sent, at every client
/// that keeps up. A client that doesn't keep up is cut off with close code 1013
/// and affects no other client.
#[derive(Clone, Debug)]
pub struct Signals {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    hub: Hub<Envelope>,
    /// How long a send waits for capacity.
    send_timeout: Duration,
    /// For how long clients that are gone are present, by the paths of their signals.
    presence_graces: HashMap<&'static str, Duration>,
    /// Which of its clients are present, where a backplane carries that.
    attending: Mutex<Attendances>,
    /// How many of its clients were present.
    stays: AtomicU64,
    /// Those that were cut off, and may come back: notified when they do.
    away: Mutex<HashMap<Who, Arc<Notify>>>,
}

#[derive(Debug)]
struct Attendances {
    /// This process, among those that have clients who are present.
    node: u64,
    /// By the numbers of their stays.
    clients: HashMap<u64, (&'static str, Attending)>,
    /// The channels in which it has said that any is there, each by its path and its index:
    /// others may think so, if they missed that it has left.
    told: BTreeSet<(&'static str, usize)>,
}

/// A client: its signal, its path within a family, and its id.
pub(crate) type Who = (&'static str, Option<Arc<str>>, ClientId);

impl Signals {
    /// Without signals at which clients are present.
    #[cfg(test)]
    pub(crate) fn new(hub: Hub<Envelope>, send_timeout: Duration) -> Signals {
        Signals::with_presence(hub, send_timeout, HashMap::new())
    }

    /// At these signals, clients are present, for so long after their connections have ended.
    pub(crate) fn with_presence(
        hub: Hub<Envelope>,
        send_timeout: Duration,
        presence_graces: HashMap<&'static str, Duration>,
    ) -> Signals {
        let (clients, told) = (HashMap::new(), BTreeSet::new());
        let attending = Attendances { node: random_epoch(), clients, told };
        let (attending, stays, away) = (attending.into(), AtomicU64::new(0), Mutex::default());
        let shared = Shared { hub, send_timeout, presence_graces, attending, stays, away };
        Signals { shared: Arc::new(shared) }
    }

    pub(crate) fn hub(&self) -> &Hub<Envelope> {
        &self.shared.hub
    }

    /// Sends a payload, as JSON, to every client of a signal, or to some of
    /// them: `send(CHAT, &message).to_group("admins").await`.
    ///
    /// At a signal with `latest_by`, a message to every client replaces the one before
    /// with its key. A message to some of them has no key.
    ///
    /// Nothing is sent until the returned value is awaited. It then waits for
    /// capacity in the channel, at most for the server's `send_timeout`. So a
    /// loop of sends runs at the pace of delivery and loses nothing. When it
    /// returns, the message is in the channel, in its order; clients may not
    /// have read it yet. Before the server starts, messages collect in the
    /// channel.
    ///
    /// Cancel safe: a send that is dropped before it is done has sent nothing.
    /// While another process takes over, or with a backplane, it may have sent the
    /// message.
    ///
    /// # Errors
    ///
    /// When awaited: the payload has no JSON form, or too long a key, the channel
    /// stayed full too long, the server has stopped, or it doesn't declare the signal; or
    /// the backplane can't be reached, or doesn't answer in time.
    pub fn send<S: SignalTarget>(&self, signal: S, payload: &S::Out) -> Sending<S::Level>
    where
        S::Out: Payload,
    {
        let audience = Audience::everyone(signal.concrete_path().cloned());
        let key = signal.key_of(payload).map(Into::into);
        let path = signal.declared_path();
        self.sending(Target::Signal(path, audience, key), encode(path, payload))
    }

    /// Sends to every client of a signal with `latest_by` that a key is removed:
    /// `remove(PRICE, &"AAPL").await`. The message with this key is kept no more, and
    /// clients that speak `pode.v1` are told. Any others aren't: what they get are
    /// messages alone.
    ///
    /// Nothing is sent until the returned future is awaited; else it is as
    /// [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As for `send`.
    pub fn remove<S>(&self, signal: S, key: &(impl ToString + ?Sized)) -> SendFuture
    where
        S: KeyedTarget<Level: Sendable>,
    {
        let audience = Audience::everyone(signal.concrete_path().cloned());
        let key = Some(key.to_string().into());
        let target = Target::Signal(signal.declared_path(), audience, key);
        self.sending::<S::Level>(target, Ok(Message::removal())).into_future()
    }

    /// Sends a payload to every client of a signal, as [`send`](Self::send)
    /// does, if the channel has capacity now.
    ///
    /// # Errors
    ///
    /// As for `send`, with [`SendError::Full`] at once if the channel is full.
    pub fn try_send<S>(&self, signal: S, payload: &S::Out) -> Result<(), SendError>
    where
        S: SignalTarget<Out: Payload, Level: Sendable>,
    {
        self.send(signal, payload).try_now()
    }

    /// Sends JSON that is already encoded, byte for byte, as
    /// [`send`](Self::send) does; but it has no key (`latest_by`).
    pub fn send_json<S: SignalTarget>(&self, signal: S, json: &RawValue) -> Sending<S::Level> {
        let audience = Audience::everyone(signal.concrete_path().cloned());
        let target = Target::Signal(signal.declared_path(), audience, None);
        self.sending(target, Ok(Message::text(json.get())))
    }

    /// Sends a payload, as JSON, to every client on every path.
    ///
    /// Either every path gets the payload or, with an error, none does. This is
    /// the only send whose payload type isn't declared by a signal.
    pub fn send_to_all<T: Serialize + ?Sized>(&self, payload: &T) -> Sending {
        self.sending(Target::All, encode("*", payload))
    }

    /// Sends a payload to some clients of a path.
    pub(crate) fn send_to<L, T: Payload + ?Sized>(
        &self,
        path: &'static str,
        audience: Audience,
        payload: &T,
    ) -> Sending<L> {
        self.sending(Target::Signal(path, audience, None), encode(path, payload))
    }

    /// Returns how far a signal has come, if it keeps messages (`history_messages`),
    /// or its server hands over; else `None`.
    ///
    /// A client that resumes from there, `/chat?resume=1f6a3c5e7d9b2a40-1729`, gets
    /// every message that is sent from now on. So a page that shows what was before
    /// and has a socket that goes on from there misses nothing: read the position
    /// first, and then what the page shows. `None` for a signal of another server,
    /// too.
    pub fn position<S: SignalTarget>(&self, signal: S) -> Option<Position> {
        let path = signal.concrete_path().map(|path| &**path);
        self.channel(signal.declared_path(), path).ok()?.position()
    }

    /// Puts an envelope into the channel of a path, as soon as there is capacity.
    pub(crate) async fn post(
        &self,
        path: &'static str,
        own_path: Option<&str>,
        envelope: Envelope,
    ) -> Result<(), SendError> {
        let deadline = self.deadline();
        let channel = self.channel(path, own_path)?;
        let permit = self.permit_in(channel, deadline).await?;
        let arrival = envelope.publish(permit)?;
        arrive(arrival.map(|arrival| (channel.clone(), arrival)), deadline).await
    }

    /// Puts a command that concerns only this process into the channel of a path.
    /// Returns the position of what comes behind it.
    pub(crate) async fn command(
        &self,
        path: &'static str,
        own_path: Option<&str>,
        command: Command,
    ) -> Result<Option<Position>, SendError> {
        let permit = self.permit_in(self.channel(path, own_path)?, self.deadline()).await?;
        permit.send(Envelope::Command(Arc::new(command)))
    }

    fn sending<L>(&self, target: Target, message: Result<Message, SendError>) -> Sending<L> {
        Sending::new(self.clone(), target, message)
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.shared.send_timeout
    }

    async fn permit_in<'hub>(
        &self,
        channel: &'hub Channel<Envelope>,
        deadline: Instant,
    ) -> Result<Permit<'hub>, SendError> {
        timeout_at(deadline, channel.reserve()).await.unwrap_or_else(|_| {
            let path = channel.path();
            tracing::warn!(path, "the channel stayed full; a message was not sent");
            Err(SendError::Full { path })
        })
    }

    /// Sends if every channel has capacity; returns what goes through another process, or
    /// a backplane.
    fn send_now(&self, target: &Target, message: &Message) -> Result<Vec<Underway>, SendError> {
        match target {
            Target::Signal(path, audience, _) => {
                let channel = self.channel(path, audience.path.as_deref())?;
                target.publish([channel.try_reserve()?], message)
            }
            Target::All => {
                let permits = self.hub().channels().map(Channel::try_reserve);
                target.publish(permits.collect::<Result<Vec<_>, _>>()?, message)
            }
        }
    }

    /// Sends as soon as every channel has capacity.
    ///
    /// Two sends to all can't block each other: both wait for the channels in the
    /// order of their paths.
    async fn send_soon(self, target: Target, message: Message) -> Result<(), SendError> {
        let deadline = self.deadline();
        let mut permits = Vec::new();
        match &target {
            Target::Signal(path, audience, _) => {
                let channel = self.channel(path, audience.path.as_deref())?;
                permits.push(self.permit_in(channel, deadline).await?);
            }
            Target::All => {
                for channel in self.hub().channels() {
                    permits.push(self.permit_in(channel, deadline).await?);
                }
            }
        }
        arrive(target.publish(permits, &message)?, deadline).await
    }

    /// Returns the channel of a declared path; for a family, the channel of one
    /// of its paths.
    pub(crate) fn channel(
        &self,
        path: &'static str,
        own_path: Option<&str>,
    ) -> Result<&Channel<Envelope>, SendError> {
        match own_path {
            Some(own) => self.hub().channel_of(path, own),
            None => self.hub().channel(path),
        }
    }
}

type Permit<'hub> = pode_core::hub::Permit<'hub, Envelope>;

/// What goes through another process, or a backplane, and the channel where it arrives.
type Underway = (Channel<Envelope>, Arrival);

/// Waits until everything has its place in the order that processes share. So if a
/// caller sends through another process after its send here returned, that message comes
/// later.
///
/// # Errors
///
/// At the deadline, not all has come back from the backplane. (What isn't back from
/// another process by then is still on its way.)
async fn arrive(
    underway: impl IntoIterator<Item = Underway>,
    deadline: Instant,
) -> Result<(), SendError> {
    let (mut path, mut withdrawn, mut others, mut unknown) = ("*", 0, 0, 0);
    for (channel, mut arrival) in underway {
        path = channel.path();
        match timeout_at(deadline, &mut arrival).await {
            Ok(true) => others += 1,
            Err(_) if !arrival.is_carried => {
                tracing::warn!(path, "a message takes long on its way through the other process");
                others += 1;
            }
            Err(_) if channel.withdraw(&arrival) => withdrawn += 1,
            Ok(false) | Err(_) => unknown += 1,
        }
    }
    match (withdrawn, others + unknown) {
        (0, _) if unknown == 0 => Ok(()),
        (1.., 0) => Err(SendError::Backplane { path }),
        _ => Err(SendError::Unknown { path }),
    }
}

fn encode<T: Payload + ?Sized>(path: &'static str, payload: &T) -> Result<Message, SendError> {
    payload.encode().map_err(|source| SendError::Encode { path, source })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use pode_core::hub::Receiver;
    use pode_core::{ClientId, LatestBy, Nothing, SignalFamily, SignalPath, level};
    use tokio::time::Instant;

    use super::*;
    use crate::push::engine::Recipients;

    const CHAT: SignalPath<u32> = SignalPath::new("/");
    const NEWS: SignalPath<u32> = SignalPath::new("/news");

    fn signals() -> (Signals, HashMap<&'static str, Receiver<Envelope>>) {
        let (hub, receivers) = Hub::new([("/", 2), ("/news", 2)]);
        let receivers = receivers.into_iter().map(|delivery| (delivery.path(), delivery));
        (Signals::new(hub, Duration::from_secs(5)), receivers.collect())
    }

    fn payloads(delivery: &mut Receiver<Envelope>) -> Vec<String> {
        let payload = |envelope| match envelope {
            Envelope::Broadcast(message) => String::from_utf8(message.payload().to_vec()).unwrap(),
            other => panic!("expected a broadcast, got {other:?}"),
        };
        std::iter::from_fn(|| delivery.try_next()).map(payload).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_channel_is_waited_for_and_then_told() {
        let (signals, mut receivers) = signals();
        for number in 0..2 {
            signals.send(CHAT, &number).await.unwrap();
        }
        assert!(matches!(signals.try_send(CHAT, &2), Err(SendError::Full { path: "/" })));
        let started = Instant::now();
        assert!(matches!(signals.send(CHAT, &2).await, Err(SendError::Full { path: "/" })));
        assert_eq!(started.elapsed(), Duration::from_secs(5));

        let waiting = tokio::spawn(signals.send(CHAT, &3).into_future());
        tokio::task::yield_now().await;
        assert_eq!(payloads(receivers.get_mut("/").unwrap()), ["0", "1"]);
        waiting.await.unwrap().unwrap();
        assert_eq!(payloads(receivers.get_mut("/").unwrap()), ["3"]);
    }

    #[tokio::test(start_paused = true)]
    async fn to_all_means_every_path_or_none() {
        let (signals, mut receivers) = signals();
        signals.send_to_all("hi").await.unwrap();
        assert_eq!(payloads(receivers.get_mut("/").unwrap()), ["\"hi\""]);
        assert_eq!(payloads(receivers.get_mut("/news").unwrap()), ["\"hi\""]);

        signals.try_send(NEWS, &1).unwrap();
        signals.try_send(NEWS, &2).unwrap();
        assert!(matches!(
            signals.send_to_all("late").await,
            Err(SendError::Full { path: "/news" })
        ));
        assert_eq!(payloads(receivers.get_mut("/").unwrap()), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_send_that_is_not_awaited_sends_nothing() {
        let (signals, mut receivers) = signals();
        drop(signals.send(CHAT, &1));
        drop(signals.send(CHAT, &1).into_future());
        assert_eq!(payloads(receivers.get_mut("/").unwrap()), Vec::<String>::new());
    }

    #[tokio::test]
    async fn ready_made_json_is_not_touched() {
        let (signals, mut receivers) = signals();
        let json = RawValue::from_string(r#"{ "a" :1.0e3 }"#.to_owned()).unwrap();
        signals.send_json(CHAT, &json).await.unwrap();
        assert_eq!(payloads(receivers.get_mut("/").unwrap()), [r#"{ "a" :1.0e3 }"#]);
    }

    #[tokio::test]
    async fn an_audience_travels_with_its_message() {
        let (signals, mut receivers) = signals();
        let ada: ClientId = "ada".parse().unwrap();
        signals.send(CHAT, &1).to_group("crew").except(&ada).await.unwrap();
        signals.send(CHAT, &2).to_client(&ada).try_now().unwrap();
        let mut next = || match receivers.get_mut("/").unwrap().try_next() {
            Some(Envelope::Addressed(addressed)) => addressed.0.clone(),
            other => panic!("expected something addressed, got {other:?}"),
        };
        let crew = Recipients::Group("crew".into());
        assert_eq!(next(), Audience { except: Some(ada.clone()), ..Audience::of(None, crew) });
        assert_eq!(next(), Audience::client(None, ada));
    }

    #[tokio::test]
    async fn a_message_to_everyone_has_its_key() {
        const BY_TENS: SignalPath<u32, Nothing, level::Name, LatestBy<u32>> =
            SignalPath::new("/").latest_by(|number| (number / 10).to_string());
        const ROOM: SignalFamily<(u32,), u32, Nothing, level::Name, LatestBy<u32>> =
            SignalFamily::new("/news").latest_by(|_| "x".repeat(257));
        let (signals, mut receivers) = signals();
        let mut next = || {
            let envelope = receivers.get_mut("/").unwrap().try_next().unwrap();
            let content = envelope.content().unwrap();
            (content.key.map(ToString::to_string), content.message.payload().to_vec())
        };
        let key = |key: &str| Some(key.to_owned());
        signals.send(BY_TENS, &123).await.unwrap();
        assert_eq!(next(), (key("12"), b"123".to_vec()));
        signals.remove(BY_TENS, &12).await.unwrap();
        assert_eq!(next(), (key("12"), Vec::new()));
        signals.remove(BY_TENS, "a text").await.unwrap();
        assert_eq!(next().0, key("a text"));
        let ada: ClientId = "ada".parse().unwrap();
        signals.send(BY_TENS, &1).except(&ada).await.unwrap();
        assert_eq!(next().0, None);
        signals.send(BY_TENS, &1).to_group("crew").await.unwrap();
        assert_eq!(next().0, None);
        signals.send(CHAT, &1).await.unwrap();
        assert_eq!(next().0, None);
        let too_long = |sent| matches!(sent, Err(SendError::Key { path: "/news", bytes: 257 }));
        assert!(too_long(signals.send(ROOM.at(&1), &1).await));
        assert!(too_long(signals.try_send(ROOM.at(&1), &1)));
        signals.send(ROOM.at(&1), &1).to_client(&ada).await.unwrap();
        assert!(too_long(signals.remove(ROOM.at(&1), &"x".repeat(257)).await));
    }

    #[tokio::test]
    async fn a_foreign_signal_and_a_bad_payload_are_errors() {
        let (signals, _deliveries) = signals();
        const OTHER: SignalPath<u32> = SignalPath::new("/other");
        assert!(matches!(
            signals.send(OTHER, &1).await,
            Err(SendError::UnknownPath { path: "/other" })
        ));
        const MAP: SignalPath<HashMap<(u8, u8), u8>> = SignalPath::new("/");
        let map = HashMap::from([((1, 2), 3)]);
        assert!(matches!(signals.send(MAP, &map).await, Err(SendError::Encode { path: "/", .. })));
    }
}
