//! The write side of one client: the socket, and what waits for it.
//!
//! Nothing here waits. What the socket doesn't take at once is kept, and tried
//! again when the socket can be written to.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::future::poll_fn;
use tokio::io::{AsyncRead, AsyncWrite, WriteHalf};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, coop};

use super::frame::Close;
use crate::options::OnLag;

/// How many messages may wait for a client that reads more slowly than they
/// come, and what becomes of one that is over either limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueueLimits {
    /// Default: 1,024.
    pub(super) messages: usize,
    /// Of their frames, together. A single message may be larger. Default:
    /// 1 MiB.
    pub(super) bytes: usize,
    pub(super) on_lag: OnLag,
}

impl Default for QueueLimits {
    fn default() -> Self {
        QueueLimits { messages: 1024, bytes: 1 << 20, on_lag: OnLag::default() }
    }
}

/// Messages that are due at once.
#[derive(Debug)]
pub(super) struct Burst {
    frames: Vec<Bytes>,
    /// All of them, joined once for all clients: one write takes them.
    joined: Bytes,
}

impl Burst {
    /// Joins frames; a single one is shared as it is.
    pub(super) fn new(frames: Vec<Bytes>) -> Burst {
        let joined = match &frames[..] {
            [single] => single.clone(),
            frames => frames.concat().into(),
        };
        Burst { frames, joined }
    }
}

/// Any connection: TCP, TLS, or what a test makes.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

pub(super) type Writer = WriteHalf<Box<dyn Socket>>;

/// One client, as the delivery of its path knows it.
///
/// When it is dropped, its reader is stopped and the connection ends.
pub(super) struct Client {
    /// Absent until the 101 reply was sent. What is due before waits.
    writer: Option<Writer>,
    outbox: Outbox,
    /// Whether the socket was written to since it was last flushed: a TLS
    /// stream may hold a part of it back.
    unflushed: bool,
    phase: Phase,
    /// Whether the client said its last word, so that the connection ends when
    /// the server's close frame is written.
    peer_finished: bool,
    /// Reads what the client sends, and ends when there is no more to come.
    reader: AbortHandle,
    reader_ended: bool,
    /// Whether writing failed.
    broken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Messages are delivered.
    Open,
    /// A close frame was written or is due.
    Closing,
    /// Nothing will be written any more.
    ShutDown,
}

/// A client is over one of the [`QueueLimits`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooSlow;

impl Client {
    pub(super) fn new(reader: AbortHandle) -> Client {
        Client {
            writer: None,
            outbox: Outbox::default(),
            unflushed: false,
            phase: Phase::Open,
            peer_finished: false,
            reader,
            reader_ended: false,
            broken: false,
        }
    }

    /// Takes the write side of the connection, now that it is upgraded.
    pub(super) fn open(&mut self, writer: Writer) {
        self.writer = Some(writer);
    }

    /// Writes a burst, and keeps references to the frames that the socket
    /// doesn't take. A client that is being closed gets none of it.
    ///
    /// Returns how many messages the client will miss for its slowness.
    pub(super) fn send(
        &mut self,
        context: &mut Context<'_>,
        burst: &Burst,
        limits: QueueLimits,
    ) -> Result<usize, TooSlow> {
        if self.phase != Phase::Open {
            return Ok(0);
        }
        let mut written =
            if self.is_busy() { 0 } else { self.write_at_once(context, &burst.joined) };
        if self.broken {
            return Ok(0);
        }
        let mut missed = 0;
        for frame in &burst.frames {
            if written >= frame.len() {
                written -= frame.len();
            } else if written > 0 {
                self.outbox.begun = frame.slice(written..);
                written = 0;
            } else {
                missed += self.outbox.push(frame.clone(), limits)?;
            }
        }
        // Flushes what was written, or has the task woken for the rest.
        let _ = self.poll_write(context);
        Ok(missed)
    }

    /// Answers a ping, before any message that waits. `taken` is dropped when
    /// the socket takes the answer, or when it will never be written.
    pub(super) fn pong(&mut self, frame: Bytes, taken: oneshot::Sender<()>) {
        if self.phase == Phase::Open {
            self.outbox.pong = Some(Pong { frame, _taken: taken });
        }
    }

    /// Says goodbye as soon as the frame at hand is written; messages that
    /// wait are dropped.
    pub(super) fn close(&mut self, close: Close) {
        if self.phase == Phase::Open {
            self.outbox.drop_messages();
            self.close_last(close);
        }
    }

    /// Says goodbye after the messages that wait.
    pub(super) fn close_last(&mut self, close: Close) {
        if self.phase == Phase::Open {
            self.outbox.close = Some(close.frame());
            self.phase = Phase::Closing;
        }
    }

    /// Notes that the client said its last word: `close` answers it, unless
    /// the server said goodbye first.
    pub(super) fn peer_finished(&mut self, close: Close) {
        self.close(close);
        self.peer_finished = true;
    }

    /// Notes that nothing more can be read: the client has left, or stays only
    /// for the answer to its close frame.
    pub(super) fn reader_ended(&mut self) {
        self.reader_ended = true;
    }

    /// Writes what waits; ready when there is nothing to do, for now.
    pub(super) fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let result = ready!(self.try_write(context));
        self.broken |= result.is_err();
        Poll::Ready(())
    }

    /// Tells whether there is something to write, or to clean up.
    pub(super) fn is_busy(&self) -> bool {
        let may_shut_down = self.phase == Phase::Closing && self.peer_finished;
        !self.outbox.is_empty() || self.unflushed || may_shut_down || self.is_done()
    }

    /// Tells whether the connection serves no purpose any more.
    pub(super) fn is_done(&self) -> bool {
        // Behind TLS, the shutdown has something to say, too: without it the
        // client would take the end for an accident.
        let owes_close = self.phase == Phase::Closing
            && self.writer.is_some()
            && (!self.outbox.is_empty() || self.unflushed || self.peer_finished);
        self.broken || self.reader_ended && !owes_close
    }

    /// Writes without trying again; returns how many bytes the socket took.
    fn write_at_once(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> usize {
        let Some(writer) = &mut self.writer else { return 0 };
        match poll_socket(context, |context| Pin::new(&mut *writer).poll_write(context, bytes)) {
            Poll::Pending => 0,
            Poll::Ready(Ok(written @ 1..)) => {
                self.unflushed = true;
                written
            }
            Poll::Ready(Ok(0) | Err(_)) => {
                self.broken = true;
                0
            }
        }
    }

    fn try_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(writer) = &mut self.writer else { return Poll::Pending };
        let mut writer = Pin::new(writer);
        while !self.outbox.is_empty() {
            // Each write counts, so that the task yields after some.
            let budget = ready!(coop::poll_proceed(context));
            let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE];
            let slices = self.outbox.slices(&mut slices);
            let written = ready!(poll_socket(context, |context| {
                writer.as_mut().poll_write_vectored(context, slices)
            }))?;
            budget.made_progress();
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outbox.advance(written);
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(poll_socket(context, |context| writer.as_mut().poll_flush(context)))?;
            self.unflushed = false;
        }
        if self.phase == Phase::Closing && self.peer_finished {
            ready!(poll_socket(context, |context| writer.as_mut().poll_shutdown(context)))?;
            self.phase = Phase::ShutDown;
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// How many frames go into one write, at most.
const SLICES_PER_WRITE: usize = 64;

/// Polls a socket outside of the task's budget, which would otherwise be spent
/// after some sockets and make all others look blocked.
fn poll_socket<T>(
    context: &mut Context<'_>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    pin!(coop::unconstrained(poll_fn(|context| poll(context)))).poll(context)
}

/// What waits for a socket, in the order in which it goes out.
#[derive(Debug, Default)]
struct Outbox {
    /// The rest of a frame of which the socket has taken a part, so that
    /// nothing may come between.
    begun: Bytes,
    /// Only the latest: it answers those before it, too.
    pong: Option<Pong>,
    /// Messages, within the [`QueueLimits`].
    messages: VecDeque<Bytes>,
    message_bytes: usize,
    /// The last frame of all.
    close: Option<Bytes>,
}

#[derive(Debug)]
struct Pong {
    frame: Bytes,
    /// Lets the reader go on when it is dropped.
    _taken: oneshot::Sender<()>,
}

impl Outbox {
    fn is_empty(&self) -> bool {
        self.begun.is_empty()
            && self.pong.is_none()
            && self.messages.is_empty()
            && self.close.is_none()
    }

    /// Queues a message, and returns how many will never be sent for it: it
    /// may be this one.
    fn push(&mut self, frame: Bytes, limits: QueueLimits) -> Result<usize, TooSlow> {
        let fits = self.messages.len() < limits.messages
            && self.message_bytes + frame.len() <= limits.bytes;
        let mut missed = 0;
        if !fits && !self.messages.is_empty() {
            match limits.on_lag {
                OnLag::Disconnect => return Err(TooSlow),
                OnLag::Skip => return Ok(1),
                OnLag::Latest => {
                    missed = self.messages.len();
                    self.drop_messages();
                }
            }
        }
        self.message_bytes += frame.len();
        self.messages.push_back(frame);
        Ok(missed)
    }

    fn drop_messages(&mut self) {
        self.messages = VecDeque::new();
        self.message_bytes = 0;
    }

    /// Returns the bytes that go out first, frame by frame.
    fn slices<'a, 'b>(&'a self, room: &'b mut [IoSlice<'a>]) -> &'b [IoSlice<'a>] {
        let begun = Some(&self.begun).filter(|rest| !rest.is_empty());
        let pong = self.pong.as_ref().map(|pong| &pong.frame);
        let frames = begun.into_iter().chain(pong).chain(&self.messages).chain(&self.close);
        let mut count = 0;
        for (slot, frame) in room.iter_mut().zip(frames) {
            *slot = IoSlice::new(frame);
            count += 1;
        }
        &room[..count]
    }

    /// Drops the bytes that went out.
    fn advance(&mut self, mut written: usize) {
        loop {
            if written < self.begun.len() {
                self.begun.advance(written);
                return;
            }
            written -= self.begun.len();
            // Not kept empty: it would hold on to the memory of the frame.
            self.begun = Bytes::new();
            if written == 0 {
                return;
            }
            self.begun = self.take_first();
        }
    }

    /// Takes the frame that is written next.
    fn take_first(&mut self) -> Bytes {
        if let Some(pong) = self.pong.take() {
            return pong.frame;
        }
        if let Some(frame) = self.messages.pop_front() {
            self.message_bytes -= frame.len();
            if self.messages.is_empty() {
                // Whoever caught up gives the memory of the queue back.
                self.messages = VecDeque::new();
            }
            return frame;
        }
        self.close.take().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::pending;
    use tokio::io::{AsyncReadExt, duplex};

    use super::*;

    const LIMITS: QueueLimits = QueueLimits { messages: 3, bytes: 10, on_lag: OnLag::Disconnect };

    fn frame(bytes: &'static str) -> Bytes {
        Bytes::from_static(bytes.as_bytes())
    }

    fn pong(bytes: &'static str) -> Pong {
        Pong { frame: frame(bytes), _taken: oneshot::channel().0 }
    }

    fn joined(outbox: &Outbox) -> String {
        let mut room = [IoSlice::new(&[]); SLICES_PER_WRITE];
        let slices = outbox.slices(&mut room);
        String::from_utf8(slices.iter().flat_map(|slice| slice.to_vec()).collect()).unwrap()
    }

    #[test]
    fn a_queue_is_bounded_in_messages_and_in_bytes() {
        let mut outbox = Outbox::default();
        for _ in 0..3 {
            assert_eq!(outbox.push(frame("a"), LIMITS), Ok(0));
        }
        assert_eq!(outbox.push(frame("a"), LIMITS), Err(TooSlow));

        let mut outbox = Outbox::default();
        assert_eq!(outbox.push(frame("0123456789"), LIMITS), Ok(0));
        assert_eq!(outbox.push(frame("a"), LIMITS), Err(TooSlow));
        outbox.advance(10);
        assert_eq!(outbox.push(frame("larger than the limit"), LIMITS), Ok(0), "but alone");
        assert_eq!(outbox.push(frame("a"), LIMITS), Err(TooSlow));
        outbox.advance(1);
        assert_eq!(outbox.push(frame("a"), LIMITS), Ok(0), "what was begun has left the queue");
    }

    #[test]
    fn a_full_queue_may_skip_what_comes_or_what_waits() {
        let waiting = |on_lag| {
            let limits = QueueLimits { on_lag, ..LIMITS };
            let mut outbox = Outbox::default();
            let missed =
                ["1 ", "2 ", "3 ", "4 ", "5 "].map(|text| outbox.push(frame(text), limits));
            (joined(&outbox), missed.map(|missed| missed.unwrap_or(usize::MAX)))
        };
        assert_eq!(waiting(OnLag::Skip), ("1 2 3 ".to_owned(), [0, 0, 0, 1, 1]));
        assert_eq!(waiting(OnLag::Latest), ("4 5 ".to_owned(), [0, 0, 0, 3, 0]));
        assert_eq!(waiting(OnLag::Disconnect).1[3..], [usize::MAX; 2]);
    }

    #[test]
    fn control_frames_go_first_but_never_into_a_frame() {
        let mut outbox = Outbox::default();
        outbox.push(frame("one "), LIMITS).unwrap();
        outbox.push(frame("two "), LIMITS).unwrap();
        outbox.advance(1);
        outbox.pong = Some(pong("dropped "));
        outbox.pong = Some(pong("pong "));
        outbox.close = Some(frame("close"));
        assert_eq!(joined(&outbox), "ne pong two close");
        outbox.drop_messages();
        assert_eq!(joined(&outbox), "ne pong close");
    }

    #[test]
    fn bytes_leave_in_order_however_many_are_written_at_once() {
        let expected = "pong one two close";
        for written in 1..=expected.len() {
            let mut outbox = Outbox::default();
            outbox.push(frame("one "), LIMITS).unwrap();
            outbox.push(frame("two "), LIMITS).unwrap();
            outbox.pong = Some(pong("pong "));
            outbox.close = Some(frame("close"));
            let mut start = 0;
            while !outbox.is_empty() {
                assert_eq!(joined(&outbox), expected[start..]);
                let written = written.min(expected.len() - start);
                outbox.advance(written);
                start += written;
            }
            assert_eq!(start, expected.len());
            assert_eq!(outbox.message_bytes, 0);
            assert_eq!(outbox.messages.capacity(), 0);
        }
    }

    #[tokio::test]
    async fn a_burst_is_cut_where_the_socket_is_full() {
        let (mut peer, socket) = duplex(6);
        let mut client = Client::new(tokio::spawn(pending::<()>()).abort_handle());
        client.open(tokio::io::split(Box::new(socket) as Box<dyn Socket>).1);

        let burst = Burst::new(vec![frame("one "), frame("two "), frame("three")]);
        poll_fn(|context| Poll::Ready(client.send(context, &burst, LIMITS))).await.unwrap();
        assert_eq!(joined(&client.outbox), "o three");
        let burst = Burst::new(vec![frame("!!!"), frame("!!!")]);
        let sent = poll_fn(|context| Poll::Ready(client.send(context, &burst, LIMITS))).await;
        assert_eq!(sent, Err(TooSlow));
        client.close(Close { code: None, reason: "" });

        let mut heard = vec![0; 10];
        let write = poll_fn(|context| client.poll_write(context));
        tokio::join!(write, async { peer.read_exact(&mut heard).await.unwrap() });
        assert_eq!(heard, b"one two \x88\0");
    }
}
