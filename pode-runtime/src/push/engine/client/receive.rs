//! Receiving: decodes a client's frames, takes its messages, and closes it if
//! it breaks a rule.

use std::task::Waker;

use bytes::Bytes;
use pode_core::frame::{AcceptPolicy, Close, Received, pong};

use super::super::envelope::PostOutcome;
use super::super::form::{self, Form};
use super::{Client, Reading};
use crate::base::log::ration::rationed;
use crate::push::raw_message::RawMessage;
use crate::push::session::{DisconnectReason, Fault};

/// What is needed to handle a client's bytes.
pub(in super::super) struct ReceiveContext<'shard> {
    pub(in super::super) path: &'static str,
    pub(in super::super) accepts: AcceptPolicy,
    /// Makes the waker that wakes the client's shard for it.
    pub(in super::super) waker: &'shard dyn Fn() -> Waker,
}

impl ReceiveContext<'_> {
    /// Logs which option's limit a client exceeded.
    fn tell_limit(&self, fault: &Close) {
        let AcceptPolicy::Messages { max_bytes, max_frame_bytes } = self.accepts else { return };
        let signal = self.path;
        if *fault == Close::TOO_BIG {
            rationed!(
                info,
                signal,
                "a client is closed for a message of more than {max_bytes} bytes (`max_message_bytes`)"
            );
        } else if *fault == Close::FRAME_TOO_BIG {
            rationed!(
                info,
                signal,
                "a client is closed for a frame of more than {max_frame_bytes} bytes (`max_frame_bytes`)"
            );
        }
    }
}

impl Client {
    /// Decodes and handles frames from the client.
    pub(super) fn receive(&mut self, mut bytes: &mut [u8], context: &ReceiveContext<'_>) {
        if self.form() == Form::Events {
            // Whoever hears an event stream has nothing more to say on its connection.
            return;
        }
        while self.reading == Reading::Frames {
            if self.is_held() {
                self.unread = (!bytes.is_empty()).then(|| Box::new((&*bytes).into()));
                return;
            }
            match self.decoder.next(&mut bytes, context.accepts) {
                Ok(None) => return,
                Ok(Some(Received::Ping(payload))) => {
                    let pong = pong(payload);
                    if self.is_open() {
                        self.send_queue.get_or_insert_default().pong = Some(pong);
                        self.write(None);
                    }
                }
                Ok(Some(Received::Pong(_))) => {}
                Ok(Some(Received::Text(text))) => {
                    let message = RawMessage::Text(text.to_owned());
                    self.take(message);
                }
                Ok(Some(Received::Binary(bytes))) => {
                    let message = RawMessage::Binary(Bytes::copy_from_slice(bytes));
                    self.take(message);
                }
                Ok(Some(Received::Close(answer))) => {
                    let end = DisconnectReason::ByClient { code: answer.code() };
                    self.finish(&answer, end);
                    self.reading = Reading::Finished;
                }
                Err(fault) => {
                    context.tell_limit(&fault);
                    self.fail(Fault { message: None, close: fault });
                }
            }
        }
    }

    /// Whether it hears an event stream that goes on, and sends the messages of this sequence.
    pub(in super::super) fn hears_events_of(&self, sequence: &[u8; 16]) -> bool {
        self.form() == Form::Events
            && self.is_admitted()
            && self.subscriber.sequence().as_ref() == Some(sequence)
    }

    /// Takes a message that came apart from its connection. The caller must then
    /// [advance](Self::advance) the client.
    pub(in super::super) fn receive_posted(&mut self, text: String) -> PostOutcome {
        if self.is_full() {
            return PostOutcome::Full;
        }
        self.liveness.show();
        self.take(RawMessage::Text(text));
        PostOutcome::Taken
    }

    /// Notes that the client broke a rule; nothing more is read from it. The
    /// close frame follows the answers to its earlier messages.
    fn fail(&mut self, fault: Fault) {
        let (is_open, end) = (self.is_open(), end_by(&fault.close));
        self.reading = Reading::Anything;
        match &mut self.subscriber.inbox {
            Some(inbox) if is_open => {
                self.subscriber.end.get_or_insert(end);
                inbox.fault = Some(fault);
            }
            _ => self.finish(&fault.close, end),
        }
    }

    /// Closes a client whose messages another connection has claimed, one that it may have
    /// given up: it would wait for ever for what is handled no more here.
    pub(super) fn lose_messages(&mut self) {
        if self.is_open() && self.reading == Reading::Frames {
            self.fail(Fault { message: None, close: Close::ELSEWHERE });
        }
    }

    /// Whether the client is to be answered; see [`Inbox::take_answer`].
    ///
    /// [`Inbox::take_answer`]: super::super::inbox::Inbox::take_answer
    pub(in super::super) fn take_answer(&mut self) -> Option<Option<u64>> {
        self.subscriber.inbox.as_mut()?.take_answer()
    }

    /// Returns the number up to which messages of the client are handled, unless it was
    /// told so.
    pub(in super::super) fn handled(&self) -> Option<u64> {
        self.subscriber.inbox.as_ref()?.handled()
    }

    /// Notes that the client was told up to which number its messages are handled, if it
    /// has everything that was written to it.
    pub(in super::super) fn was_told(&mut self, handled: u64) {
        if self.is_admitted()
            && self.send_queue.is_none()
            && let Some(inbox) = &mut self.subscriber.inbox
        {
            inbox.acknowledge(handled);
        }
    }

    /// Tells the client up to which number its messages are handled, if they have
    /// numbers, and it wasn't told. The caller must then [advance](Self::advance) the
    /// client.
    pub(in super::super) fn acknowledge(&mut self, handled: Option<u64>) {
        let is_open = self.is_open();
        let Some(inbox) = &mut self.subscriber.inbox else { return };
        inbox.is_answered();
        if let Some(number) = handled.filter(|number| inbox.acknowledge(*number) && is_open) {
            let frame = self.speaks.form().told(form::acknowledgement(number));
            self.send_queue.get_or_insert_default().acknowledgement = Some(frame);
        }
    }

    /// Queues the close frame for the client's fault, if it has one and all its
    /// earlier messages are handled; or `at_once`. Returns whether it did.
    pub(in super::super) fn close_for_fault(&mut self, at_once: bool, live: u64) -> bool {
        let Some(inbox) = &mut self.subscriber.inbox else { return false };
        if !at_once && !inbox.is_idle() {
            return false;
        }
        let Some(Fault { message, close }) = inbox.fault.take() else { return false };
        self.close_last(&close, end_by(&close), live);
        let form = self.form();
        if let (Some(message), Some(send_queue)) = (message, &mut self.send_queue) {
            // Behind all that it gets from the log, too.
            let last = send_queue.last.take().unwrap_or_default();
            let message = form.told(message.frame().clone());
            send_queue.last = Some([message, last].concat().into());
        }
        true
    }

    /// Closes the client as the server stops. If it is to be told that messages are
    /// handled, that is done before, as if it had broken a rule.
    pub(in super::super) fn stop(&mut self, live: u64) {
        let (close, end) = (Close::STOPPING, DisconnectReason::Stopped);
        match &self.subscriber.inbox {
            Some(inbox) if self.is_open() && inbox.owes_acknowledgement() => {
                if inbox.fault.is_none() {
                    self.subscriber.end.get_or_insert(end);
                    self.fail(Fault { message: None, close });
                }
            }
            _ => self.close_last(&close, end, live),
        }
    }

    /// Takes a message. A message that comes after the server's close frame is
    /// ignored.
    fn take(&mut self, message: RawMessage) {
        if !self.is_open() {
            return;
        }
        let Some(inbox) = &mut self.subscriber.inbox else { return };
        if let Err(fault) = inbox.receive(message) {
            self.fail(fault);
        }
    }

    /// Notes that the client is finished: `close` is the answer, unless the
    /// server has already sent a close frame.
    fn finish(&mut self, close: &Close, end: DisconnectReason) {
        if self.is_open() {
            self.close(close, end);
        }
    }

    /// Keeps a sender until the client's messages are handled, or all is done for
    /// a client that is being closed.
    #[cfg(feature = "test")]
    pub(in super::super) fn tell_when_handled(&mut self, handled: &tokio::sync::mpsc::Sender<()>) {
        let is_ending = self.is_ending();
        if let Some(inbox) = &mut self.subscriber.inbox
            && (is_ending || !inbox.is_idle())
        {
            inbox.handled.push(handled.clone());
        }
    }

    /// Whether the inbox is full.
    pub(super) fn is_full(&self) -> bool {
        self.subscriber.inbox.as_ref().is_some_and(|inbox| inbox.is_full())
    }
}

/// Returns the disconnect reason of a client that broke a rule.
fn end_by(fault: &Close) -> DisconnectReason {
    DisconnectReason::Error { code: fault.code().unwrap_or_default() }
}
