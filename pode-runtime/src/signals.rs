//! Sending: from a typed payload to the channel of its path.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pode_core::hub::{Channel, Hub};
use pode_core::{Message, SendError, SignalPath};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};

/// Sends payloads to the clients of a server; a cheap handle to clone.
///
/// The same calls are on every event. What is sent is encoded once, at the
/// call. Messages of one sender arrive in the order they were sent, at every
/// client that keeps up; one that doesn't is cut off with close code 1013 and
/// disturbs nobody else.
#[derive(Clone, Debug)]
pub struct Signals {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    hub: Hub,
    /// How long a send waits for room.
    send_timeout: Duration,
}

impl Signals {
    pub(crate) fn new(hub: Hub, send_timeout: Duration) -> Signals {
        Signals { shared: Arc::new(Shared { hub, send_timeout }) }
    }

    /// Sends a payload, as JSON, to every client on the path of a signal.
    ///
    /// Nothing happens until the returned value is awaited. It then waits for
    /// room in the channel, at most for the server's `send_timeout`: so a loop
    /// of sends goes at the pace of delivery and loses nothing. That it is done
    /// means that the message is on its way, in its order; not that clients
    /// have read it. Before the server starts, messages collect in the channel.
    ///
    /// Cancel safe: a send that is dropped before it is done has sent nothing.
    ///
    /// # Errors
    ///
    /// When awaited: the payload has no JSON form, no room came free in time,
    /// the server has stopped, or it doesn't declare the signal.
    pub fn send<Out: Serialize, In>(&self, signal: SignalPath<Out, In>, payload: &Out) -> Sending {
        let path = signal.as_str();
        self.sending(Target::Path(path), encode(path, payload))
    }

    /// Sends a payload as [`send`](Self::send) does if there is room now.
    ///
    /// # Errors
    ///
    /// As for `send`, with [`SendError::Full`] at once if there is no room.
    pub fn try_send<Out: Serialize, In>(
        &self,
        signal: SignalPath<Out, In>,
        payload: &Out,
    ) -> Result<(), SendError> {
        let path = signal.as_str();
        self.send_now(Target::Path(path), &encode(path, payload)?)
    }

    /// Sends ready-made JSON, byte for byte, as [`send`](Self::send) does.
    pub fn send_json<Out, In>(&self, signal: SignalPath<Out, In>, json: &RawValue) -> Sending {
        self.sending(Target::Path(signal.as_str()), Ok(Message::text(json.get())))
    }

    /// Sends a payload, as JSON, to every client on every path.
    ///
    /// Either every path gets it or, with an error, none does. This is the one
    /// way of sending whose payload type no signal declares.
    pub fn send_to_all<T: Serialize + ?Sized>(&self, payload: &T) -> Sending {
        self.sending(Target::All, encode("*", payload))
    }

    fn sending(&self, target: Target, message: Result<Message, SendError>) -> Sending {
        Sending { signals: self.clone(), target, message }
    }

    /// Sends if there is room in every channel.
    fn send_now(&self, target: Target, message: &Message) -> Result<(), SendError> {
        let hub = &self.shared.hub;
        match target {
            Target::Path(path) => hub.channel(path)?.try_reserve()?.send(message.clone()),
            Target::All => {
                let rooms =
                    hub.channels().map(Channel::try_reserve).collect::<Result<Vec<_>, _>>()?;
                rooms.into_iter().try_for_each(|room| room.send(message.clone()))
            }
        }
    }

    /// Sends as soon as there is room in every channel.
    ///
    /// Two of these that wait for several channels can't block each other: the
    /// room they wait for is given back by deliveries, whoever holds the rest.
    async fn send_soon(self, target: Target, message: Message) -> Result<(), SendError> {
        let Shared { hub, send_timeout } = &*self.shared;
        let deadline = Instant::now() + *send_timeout;
        let channels: Vec<&Channel> = match target {
            Target::Path(path) => vec![hub.channel(path)?],
            Target::All => hub.channels().collect(),
        };
        let mut rooms = Vec::with_capacity(channels.len());
        for channel in channels {
            let full = |_| {
                let path = channel.path();
                tracing::warn!(path, "no room came free for a message, which was not sent");
                SendError::Full { path }
            };
            rooms.push(timeout_at(deadline, channel.reserve()).await.map_err(full)??);
        }
        rooms.into_iter().try_for_each(|room| room.send(message.clone()))
    }
}

fn encode<T: Serialize + ?Sized>(path: &'static str, payload: &T) -> Result<Message, SendError> {
    Message::json(payload).map_err(|source| SendError::Encode { path, source })
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Path(&'static str),
    All,
}

/// A message that is sent when this is awaited.
#[derive(Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Sending {
    signals: Signals,
    target: Target,
    message: Result<Message, SendError>,
}

impl IntoFuture for Sending {
    type Output = Result<(), SendError>;
    type IntoFuture = SendFuture;

    fn into_future(self) -> SendFuture {
        SendFuture { state: State::Fresh(Some(self)) }
    }
}

/// The future of a [`Sending`].
#[must_use = "nothing is sent until this is awaited"]
pub struct SendFuture {
    state: State,
}

enum State {
    /// Not polled yet. Where there is room, as there nearly always is, the
    /// first poll is the last, and nothing is put on the heap for it.
    Fresh(Option<Sending>),
    Waiting(Pin<Box<dyn Future<Output = Result<(), SendError>> + Send>>),
}

impl Future for SendFuture {
    type Output = Result<(), SendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let State::Fresh(sending) = &mut self.state {
            let sending = sending.take().expect("a future is not polled again after it was ready");
            let Sending { signals, target, message } = sending;
            let message = message?;
            match signals.send_now(target, &message) {
                Err(SendError::Full { .. }) => {
                    self.state = State::Waiting(Box::pin(signals.send_soon(target, message)));
                }
                done => return Poll::Ready(done),
            }
        }
        match &mut self.state {
            State::Waiting(waiting) => waiting.as_mut().poll(context),
            State::Fresh(_) => unreachable!("a fresh one was ready or waits now"),
        }
    }
}

impl std::fmt::Debug for SendFuture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendFuture").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use pode_core::hub::Delivery;

    use super::*;

    const CHAT: SignalPath<u32> = SignalPath::new("/");
    const NEWS: SignalPath<u32> = SignalPath::new("/news");

    fn signals() -> (Signals, HashMap<&'static str, Delivery>) {
        let (hub, deliveries) = Hub::new([("/", 2), ("/news", 2)]);
        let deliveries = deliveries.into_iter().map(|delivery| (delivery.path(), delivery));
        (Signals::new(hub, Duration::from_secs(5)), deliveries.collect())
    }

    fn payloads(delivery: &mut Delivery) -> Vec<String> {
        std::iter::from_fn(|| delivery.try_next())
            .map(|message| message.payload().to_owned())
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_channel_is_waited_for_and_then_told() {
        let (signals, mut deliveries) = signals();
        for number in 0..2 {
            signals.send(CHAT, &number).await.unwrap();
        }
        assert!(matches!(signals.try_send(CHAT, &2), Err(SendError::Full { path: "/" })));
        let started = Instant::now();
        assert!(matches!(signals.send(CHAT, &2).await, Err(SendError::Full { path: "/" })));
        assert_eq!(started.elapsed(), Duration::from_secs(5));

        let waiting = tokio::spawn(signals.send(CHAT, &3).into_future());
        tokio::task::yield_now().await;
        assert_eq!(payloads(deliveries.get_mut("/").unwrap()), ["0", "1"]);
        waiting.await.unwrap().unwrap();
        assert_eq!(payloads(deliveries.get_mut("/").unwrap()), ["3"]);
    }

    #[tokio::test(start_paused = true)]
    async fn to_all_means_every_path_or_none() {
        let (signals, mut deliveries) = signals();
        signals.send_to_all("hi").await.unwrap();
        assert_eq!(payloads(deliveries.get_mut("/").unwrap()), ["\"hi\""]);
        assert_eq!(payloads(deliveries.get_mut("/news").unwrap()), ["\"hi\""]);

        signals.try_send(NEWS, &1).unwrap();
        signals.try_send(NEWS, &2).unwrap();
        assert!(matches!(
            signals.send_to_all("late").await,
            Err(SendError::Full { path: "/news" })
        ));
        assert_eq!(payloads(deliveries.get_mut("/").unwrap()), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_send_that_is_not_awaited_sends_nothing() {
        let (signals, mut deliveries) = signals();
        drop(signals.send(CHAT, &1));
        drop(signals.send(CHAT, &1).into_future());
        assert_eq!(payloads(deliveries.get_mut("/").unwrap()), Vec::<String>::new());
    }

    #[tokio::test]
    async fn ready_made_json_is_not_touched() {
        let (signals, mut deliveries) = signals();
        let json = RawValue::from_string(r#"{ "a" :1.0e3 }"#.to_owned()).unwrap();
        signals.send_json(CHAT, &json).await.unwrap();
        assert_eq!(payloads(deliveries.get_mut("/").unwrap()), [r#"{ "a" :1.0e3 }"#]);
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
