//! The send queue: frames that wait for a socket that doesn't take everything
//! at once.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

use super::behind::Behind;
use super::policy::{OnLag, QueueLimits};

/// A client is over one of the [`QueueLimits`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SlowConsumer;

/// What waits for a socket, in the order in which it is written.
#[derive(Debug, Default)]
pub(super) struct SendQueue {
    /// The rest of a partly written frame, which must come first.
    pub(super) begun: Bytes,
    /// Greetings, which come before all messages and must not be missed.
    pub(super) preface: VecDeque<Bytes>,
    /// The next ping isn't read while a pong waits.
    pub(super) pong: Option<Bytes>,
    pub(super) ping: Option<Bytes>,
    /// Messages, within the [`QueueLimits`].
    messages: VecDeque<Bytes>,
    message_bytes: usize,
    /// Where the client is in the log, if it isn't live. Then messages come from
    /// there.
    pub(super) behind: Option<Behind>,
    /// Whether who is present has changed since something waits: all of it is told behind
    /// the messages.
    pub(super) here_is_due: bool,
    /// Tells which of its messages are handled; comes behind the messages that wait.
    pub(super) acknowledgement: Option<Bytes>,
    /// The frame that comes behind all others: the close frame, or before that the
    /// marker of a test.
    pub(super) last: Option<Bytes>,
}

impl SendQueue {
    /// Whether nothing is to be written, but what is in the log.
    pub(super) fn is_empty(&self) -> bool {
        self.begun.is_empty()
            && self.pong.is_none()
            && self.ping.is_none()
            && self.preface.is_empty()
            && self.messages.is_empty()
            && self.due_last().next().is_none()
    }

    /// Returns the last frames, once nothing else comes before them.
    fn due_last(&self) -> impl Iterator<Item = &Bytes> {
        let last = self.acknowledgement.iter().chain(&self.last);
        last.filter(|_| self.behind.is_none() && !self.here_is_due)
    }

    /// Returns how many bytes wait.
    pub(super) fn bytes(&self) -> usize {
        let single = self.pong.iter().chain(&self.ping).chain(&self.acknowledgement);
        let all = single.chain([&self.begun]).chain(&self.last).chain(&self.preface);
        all.map(Bytes::len).sum::<usize>() + self.message_bytes
    }

    /// Queues a message, and returns how many messages are dropped for it,
    /// which may include this one. Where they were, `gap` is queued, unless that is
    /// empty.
    pub(super) fn push(
        &mut self,
        frame: Bytes,
        limits: QueueLimits,
        gap: &Bytes,
    ) -> Result<usize, SlowConsumer> {
        let fits = self.messages.len() < limits.messages
            && self.message_bytes + frame.len() <= limits.bytes;
        let mut missed = 0;
        if !fits && !self.messages.is_empty() {
            match limits.on_lag {
                OnLag::Disconnect => return Err(SlowConsumer),
                OnLag::Skip => {
                    self.note(gap);
                    return Ok(1);
                }
                OnLag::Latest => {
                    missed = self.messages.len();
                    (self.messages, self.message_bytes) = (VecDeque::new(), 0);
                    self.note(gap);
                }
            }
        }
        self.message_bytes += frame.len();
        self.messages.push_back(frame);
        Ok(missed)
    }

    /// Queues a gap, unless one is queued last.
    fn note(&mut self, gap: &Bytes) {
        if !gap.is_empty() && self.messages.back() != Some(gap) {
            self.message_bytes += gap.len();
            self.messages.push_back(gap.clone());
        }
    }

    /// Queues a frame behind the messages that wait, whatever the limits.
    #[cfg(feature = "redis")]
    pub(super) fn tell(&mut self, frame: Bytes) {
        self.message_bytes += frame.len();
        self.messages.push_back(frame);
    }

    /// Queues a frame that comes before all messages.
    pub(super) fn owe(&mut self, frame: Bytes) {
        self.preface.push_back(frame);
    }

    /// Queues frames that come before the greetings.
    pub(super) fn owe_first(&mut self, frames: impl DoubleEndedIterator<Item = Bytes>) {
        frames.rev().for_each(|frame| self.preface.push_front(frame));
    }

    pub(super) fn drop_messages(&mut self) {
        self.preface = VecDeque::new();
        self.messages = VecDeque::new();
        self.message_bytes = 0;
        (self.behind, self.here_is_due, self.acknowledgement) = (None, false, None);
    }

    /// Returns the bytes to write first, frame by frame.
    pub(super) fn slices<'a, 'b>(&'a self, buffers: &'b mut [IoSlice<'a>]) -> &'b [IoSlice<'a>] {
        let begun = Some(&self.begun).filter(|rest| !rest.is_empty());
        let control = begun.into_iter().chain(&self.pong).chain(&self.ping);
        let frames = control.chain(&self.preface).chain(&self.messages).chain(self.due_last());
        let mut count = 0;
        for (slot, frame) in buffers.iter_mut().zip(frames) {
            *slot = IoSlice::new(frame);
            count += 1;
        }
        &buffers[..count]
    }

    /// Drops the bytes that were written.
    pub(super) fn advance(&mut self, mut written: usize) {
        loop {
            if written < self.begun.len() {
                self.begun.advance(written);
                return;
            }
            written -= self.begun.len();
            // An empty rest isn't kept: it would hold the memory of the frame.
            self.begun = Bytes::new();
            if written == 0 {
                return;
            }
            self.begun = self.take_first();
        }
    }

    /// Takes the frame that is written next.
    fn take_first(&mut self) -> Bytes {
        if let Some(control) = self.pong.take().or_else(|| self.ping.take()) {
            return control;
        }
        if let Some(frame) = self.preface.pop_front() {
            if self.preface.is_empty() {
                self.preface = VecDeque::new();
            }
            return frame;
        }
        if let Some(frame) = self.messages.pop_front() {
            self.message_bytes -= frame.len();
            if self.messages.is_empty() {
                // Frees the queue's memory once the client has caught up.
                self.messages = VecDeque::new();
            }
            return frame;
        }
        if self.behind.is_some() || self.here_is_due {
            return Bytes::new();
        }
        self.acknowledgement.take().or_else(|| self.last.take()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: QueueLimits = QueueLimits { messages: 3, bytes: 10, on_lag: OnLag::Disconnect };

    fn frame(bytes: &'static str) -> Bytes {
        Bytes::from_static(bytes.as_bytes())
    }

    fn joined(send_queue: &SendQueue) -> String {
        let mut buffers = [IoSlice::new(&[]); 8];
        let slices = send_queue.slices(&mut buffers);
        String::from_utf8(slices.iter().flat_map(|slice| slice.to_vec()).collect()).unwrap()
    }

    #[test]
    fn a_queue_is_bounded_in_messages_and_in_bytes() {
        let mut send_queue = SendQueue::default();
        for _ in 0..3 {
            assert_eq!(send_queue.push(frame("a"), LIMITS, &Bytes::new()), Ok(0));
        }
        assert_eq!(send_queue.push(frame("a"), LIMITS, &Bytes::new()), Err(SlowConsumer));

        let mut send_queue = SendQueue::default();
        assert_eq!(send_queue.push(frame("0123456789"), LIMITS, &Bytes::new()), Ok(0));
        assert_eq!(send_queue.push(frame("a"), LIMITS, &Bytes::new()), Err(SlowConsumer));
        send_queue.advance(10);
        assert_eq!(
            send_queue.push(frame("larger than the limit"), LIMITS, &Bytes::new()),
            Ok(0),
            "but alone"
        );
        assert_eq!(send_queue.push(frame("a"), LIMITS, &Bytes::new()), Err(SlowConsumer));
        send_queue.advance(1);
        assert_eq!(
            send_queue.push(frame("a"), LIMITS, &Bytes::new()),
            Ok(0),
            "what was begun has left the queue"
        );
    }

    #[test]
    fn a_full_queue_may_skip_what_comes_or_what_waits() {
        let waiting = |on_lag| {
            let limits = QueueLimits { on_lag, ..LIMITS };
            let mut send_queue = SendQueue::default();
            let missed = ["1 ", "2 ", "3 ", "4 ", "5 "]
                .map(|text| send_queue.push(frame(text), limits, &Bytes::new()));
            (joined(&send_queue), missed.map(|missed| missed.unwrap_or(usize::MAX)))
        };
        assert_eq!(waiting(OnLag::Skip), ("1 2 3 ".to_owned(), [0, 0, 0, 1, 1]));
        assert_eq!(waiting(OnLag::Latest), ("4 5 ".to_owned(), [0, 0, 0, 3, 0]));
        assert_eq!(waiting(OnLag::Disconnect).1[3..], [usize::MAX; 2]);
    }

    #[test]
    fn control_frames_go_first_but_never_into_a_frame() {
        let mut send_queue = SendQueue::default();
        send_queue.push(frame("one "), LIMITS, &Bytes::new()).unwrap();
        send_queue.push(frame("two "), LIMITS, &Bytes::new()).unwrap();
        send_queue.advance(1);
        send_queue.ping = Some(frame("ping "));
        send_queue.pong = Some(frame("pong "));
        send_queue.last = Some(frame("close"));
        assert_eq!(joined(&send_queue), "ne pong ping two close");
        send_queue.drop_messages();
        assert_eq!(joined(&send_queue), "ne pong ping close");
    }

    #[test]
    fn bytes_leave_in_order_however_many_are_written_at_once() {
        let expected = "pong ping one two close";
        for written in 1..=expected.len() {
            let mut send_queue = SendQueue::default();
            send_queue.push(frame("one "), LIMITS, &Bytes::new()).unwrap();
            send_queue.push(frame("two "), LIMITS, &Bytes::new()).unwrap();
            send_queue.pong = Some(frame("pong "));
            send_queue.ping = Some(frame("ping "));
            send_queue.last = Some(frame("close"));
            let mut start = 0;
            while !send_queue.is_empty() {
                assert_eq!(joined(&send_queue), expected[start..]);
                let written = written.min(expected.len() - start);
                send_queue.advance(written);
                start += written;
            }
            assert_eq!(start, expected.len());
            assert_eq!(send_queue.message_bytes, 0);
            assert_eq!(send_queue.messages.capacity(), 0);
        }
    }
}
