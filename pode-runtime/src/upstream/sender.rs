//! The queue from the senders of an upstream to its connection, if there is
//! one.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::UpstreamError;

/// How many messages may wait for the connection to take them; the senders of
/// further ones wait, too.
const QUEUE_MESSAGES: usize = 16;

/// The state that the handles to an upstream share with its task.
#[derive(Debug)]
pub(crate) struct Sender {
    name: &'static str,
    max_message_bytes: usize,
    /// How long a send waits in all.
    send_timeout: Duration,
    /// The task of the upstream writes it, and senders read it.
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    NotConnected,
    Connected(mpsc::Sender<Outgoing>),
    Stopped,
}

/// A message on its way to the connection.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) text: String,
    /// Completed when the connection has taken the message. If dropped, the
    /// connection won't take it.
    pub(super) taken: oneshot::Sender<()>,
}

impl Sender {
    pub(super) fn new(
        name: &'static str,
        max_message_bytes: usize,
        send_timeout: Duration,
    ) -> Sender {
        Sender { name, max_message_bytes, send_timeout, state: Mutex::new(State::NotConnected) }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn is_connected(&self) -> bool {
        self.with_state(|state| matches!(state, State::Connected(_)))
    }

    /// Opens the queue for a connection, and returns its receiver.
    pub(super) fn connect(&self) -> mpsc::Receiver<Outgoing> {
        let (sender, queue) = mpsc::channel(QUEUE_MESSAGES);
        self.with_state(|state| *state = State::Connected(sender));
        queue
    }

    /// Closes the queue until there is another connection.
    pub(super) fn disconnect(&self) {
        self.with_state(|state| *state = State::NotConnected);
    }

    /// Closes the queue for good.
    pub(super) fn stop(&self) {
        self.with_state(|state| *state = State::Stopped);
    }

    /// Sends a message over the current connection.
    pub(super) async fn send(&self, text: String) -> Result<(), UpstreamError> {
        let (name, bytes, most) = (self.name, text.len(), self.max_message_bytes);
        if bytes > most {
            return Err(UpstreamError::TooLong { name, bytes, most });
        }
        let queue = self.with_state(|state| match state {
            State::Connected(queue) => Some(queue.clone()),
            State::NotConnected | State::Stopped => None,
        });
        let queue = queue.ok_or_else(|| self.closed())?;
        let (taken, is_taken) = oneshot::channel();
        let sending = async {
            queue.send(Outgoing { text, taken }).await.ok()?;
            is_taken.await.ok()
        };
        match timeout(self.send_timeout, sending).await {
            Ok(Some(())) => Ok(()),
            Ok(None) => Err(self.closed()),
            Err(_) => Err(UpstreamError::TimedOut { name }),
        }
    }

    /// Returns why nothing can be sent.
    fn closed(&self) -> UpstreamError {
        let name = self.name;
        self.with_state(|state| match state {
            State::Stopped => UpstreamError::Stopped { name },
            // There may be another connection by now, but not this one.
            State::NotConnected | State::Connected(_) => UpstreamError::NotConnected { name },
        })
    }

    fn with_state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // No code panics while it holds the lock.
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender() -> Sender {
        Sender::new("TEST", 10, Duration::from_secs(5))
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_connection_takes_is_sent_and_the_rest_is_not() {
        let sender = sender();
        let error = sender.send("a".into()).await.unwrap_err();
        assert_eq!(error.to_string(), "upstream `TEST` is not connected, so nothing was sent");

        let mut queue = sender.connect();
        assert!(sender.is_connected());
        let take_one = async {
            let outgoing = queue.recv().await.unwrap();
            outgoing.taken.send(()).unwrap();
            outgoing.text
        };
        let (sent, text) = tokio::join!(sender.send("b".into()), take_one);
        assert!(sent.is_ok());
        assert_eq!(text, "b");

        // The connection takes nothing.
        assert!(matches!(sender.send("c".into()).await, Err(UpstreamError::TimedOut { .. })));
        // A message is lost with its connection.
        let lose = async {
            tokio::task::yield_now().await;
            sender.disconnect();
            drop(queue);
        };
        let (sent, ()) = tokio::join!(sender.send("d".into()), lose);
        assert!(matches!(sent, Err(UpstreamError::NotConnected { name: "TEST" })));
        sender.stop();
        assert!(matches!(sender.send("e".into()).await, Err(UpstreamError::Stopped { .. })));
    }

    #[tokio::test]
    async fn a_message_has_its_bound() {
        let sender = sender();
        let error = sender.send("a".repeat(11)).await.unwrap_err();
        let sentence = "a message of 11 bytes is too long for upstream `TEST`, which takes 10";
        assert_eq!(error.to_string(), sentence);
        assert!(matches!(
            sender.send("a".repeat(10)).await,
            Err(UpstreamError::NotConnected { .. })
        ));
    }
}
