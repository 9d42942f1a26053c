//! One client: its connection, what waits for it, and how it ends.
//!
//! Nothing here waits: what the socket doesn't take is kept until it can be written
//! to. `receive` handles what the client sends, `write` what it gets, `heartbeat`
//! whether it is alive.

mod heartbeat;
mod receive;
mod write;

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pode_core::Message;
use pode_core::frame::{Close, Decoder};

pub(super) use self::receive::ReceiveContext;
use super::behind::{Behind, LogReader};
use super::form::{self, Form, Speaks};
use super::send_queue::SendQueue;
use super::socket::{Connection, Socket};
use super::subscriber::Subscriber;
use crate::push::session::{DisconnectReason, Renewal, Renews};

/// One client in its shard. It is small, since most clients are idle most of
/// the time.
///
/// When it is dropped, the connection ends.
#[derive(Debug)]
pub(super) struct Client {
    /// Absent until the 101 reply was sent. Frames that are due before wait.
    socket: Option<Socket>,
    /// Present while frames wait.
    send_queue: Option<Box<SendQueue>>,
    decoder: Decoder,
    pub(super) subscriber: Subscriber,
    speaks: Speaks,
    /// Bytes that were read and can't be decoded yet: after a ping whose pong
    /// waits, or while the inbox is full.
    unread: Option<Box<BytesMut>>,
    phase: Phase,
    reading: Reading,
    liveness: Liveness,
    /// How many bytes were read since the close frame was queued.
    read_closing: u32,
}

/// What moves of a client that is being closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// How many bytes are queued for it.
    left: usize,
    /// Where in the log it is.
    behind: Option<u64>,
    /// How many bytes came from it.
    read: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not admitted yet: it gets no messages.
    Joining,
    /// Messages are delivered.
    Open,
    /// A close frame was written or is due.
    Closing,
    /// Nothing more will be written.
    ShutDown,
    /// Writing failed.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// Bytes are decoded as frames.
    Frames,
    /// No more is expected from the client, so the connection ends when the server's
    /// close frame is written. Bytes are discarded until then: unread ones would make
    /// the system reset the connection, and the close frame on its way to the client
    /// would be lost.
    Anything,
    /// As `Anything`, and nothing more can come, or is allowed to.
    Finished,
    /// Nothing more can come, but the client hasn't said so.
    Ended,
}

impl Reading {
    /// Whether no more is expected from the client.
    fn is_finished(self) -> bool {
        matches!(self, Reading::Anything | Reading::Finished)
    }

    /// Whether nothing more can come.
    fn has_ended(self) -> bool {
        matches!(self, Reading::Finished | Reading::Ended)
    }
}

/// Whether the client has shown liveness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Liveness {
    /// It has connected since its last turn to be pinged, which counts as
    /// liveness.
    New,
    /// It has shown liveness since the last ping.
    Seen,
    /// It was pinged and has shown none since.
    Asked,
}

impl Liveness {
    /// Notes a sign of it.
    fn show(&mut self) {
        if *self == Liveness::Asked {
            *self = Liveness::Seen;
        }
    }
}

/// The result of sending a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SendOutcome {
    /// All of it is written or queued.
    All,
    /// It is to get the rest from the log: it needs another turn.
    Behind,
    /// The client is too slow and misses this many messages.
    Missed(usize),
    /// The client is too slow and is to be cut off.
    SlowConsumer,
    /// The connection has ended.
    Broken,
}

/// What a client needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Its socket must become ready.
    Waits,
    /// It needs another turn: there may be more to read.
    Again,
    /// It is to be dropped: the connection has served its purpose.
    Done,
}

/// How many bytes are read from a client that is being closed: the rest of a
/// message that is too long should not keep it from reading why. A client that
/// sends more is cut off.
const MAX_READ_CLOSING: u32 = 16 << 20;

/// How many reads a client gets before others have their turn.
const READS_PER_TURN: usize = 8;

impl Client {
    pub(super) fn new(subscriber: Subscriber, speaks: Speaks) -> Client {
        Client {
            socket: None,
            send_queue: None,
            decoder: Decoder::default(),
            subscriber,
            speaks,
            unread: None,
            phase: Phase::Joining,
            reading: Reading::Frames,
            liveness: Liveness::New,
            read_closing: 0,
        }
    }

    /// Returns how messages look to it.
    pub(super) fn form(&self) -> Form {
        self.speaks.form()
    }

    /// Returns why it is closed as its id now belongs to another connection, with
    /// messages of this sequence.
    pub(super) fn replaced_by(&self, sequence: Option<[u8; 16]>) -> Close {
        let own = self.subscriber.sequence();
        match self.speaks {
            Speaks::Plain => Close::REPLACED,
            // Another client, with the same name.
            speaks if speaks.is_set() && (own.is_none() || own != sequence) => Close::REPLACED_V1,
            _ => Close::ELSEWHERE,
        }
    }

    /// Takes the upgraded connection, the bytes that were already read from it, and those
    /// that are owed to it before all else. The caller must then [advance](Self::advance)
    /// the client.
    pub(super) fn open(&mut self, Connection { socket, read, owed }: Connection) {
        self.socket = Some(socket);
        if !owed.is_empty() {
            self.send_queue.get_or_insert_default().begun = owed;
        }
        if !read.is_empty() {
            self.unread = Some(Box::new(read.into()));
        }
    }

    /// Admits the client: it gets the messages that are sent from now on.
    pub(super) fn admit(&mut self) {
        if self.phase == Phase::Joining {
            self.phase = Phase::Open;
        }
    }

    /// Queues the greetings, which the client gets before all messages.
    pub(super) fn greet(&mut self, greeting: &[Message]) {
        for message in greeting {
            let frame = self.form().greeting(message.frame());
            self.send_queue.get_or_insert_default().owe(frame);
        }
    }

    /// Queues what the client gets first of all.
    pub(super) fn say_hello(
        &mut self,
        frames: impl IntoIterator<IntoIter: DoubleEndedIterator<Item = Bytes>>,
    ) {
        let form = self.form();
        let frames = frames.into_iter().map(|frame| form.told(frame));
        self.send_queue.get_or_insert_default().owe_first(frames);
    }

    /// Has the client get what comes next from this place in the log.
    pub(super) fn fall_behind(&mut self, behind: Behind) {
        self.send_queue.get_or_insert_default().behind = Some(behind);
    }

    /// Tells the client something behind all that waits for it. The caller must then
    /// [advance](Self::advance) it.
    #[cfg(feature = "redis")]
    pub(super) fn tell(&mut self, frame: Bytes) {
        let frame = self.form().told(frame);
        self.send_queue.get_or_insert_default().tell(frame);
    }

    /// Has the client be told who is present, behind all that waits for it. The caller must
    /// then [advance](Self::advance) it.
    #[cfg(feature = "redis")]
    pub(super) fn owe_here(&mut self) {
        self.send_queue.get_or_insert_default().here_is_due = true;
    }

    /// Tells the client who is present, if it is told that, and that it is live from this
    /// message on.
    pub(super) fn tell_live(&mut self, here: Option<Bytes>, number: u64) {
        let form = self.form();
        let told = here.into_iter().chain([form::live(number)]).map(|frame| form.told(frame));
        self.send_queue.get_or_insert_default().preface.extend(told);
    }

    /// Leaves what it would get from the log.
    pub(super) fn stop_reading_log(&mut self) {
        if let Some(send_queue) = &mut self.send_queue {
            send_queue.behind = None;
        }
    }

    /// Gives the client a new ticket, if it is its turn: once in each period, looked at
    /// as often as said by `recent`.
    pub(super) fn renew(&mut self, renews: &dyn Renews, signal: &str, recent: Duration) {
        let is_set = self.speaks.is_set();
        let Subscriber { id, path, opened, .. } = &self.subscriber;
        let is_due = |period| opened.has_come_round(period, recent);
        if self.is_admitted() && self.form().is_told() && renews.period().is_some_and(is_due) {
            let sequence = self.subscriber.sequence();
            let renewal = Renewal { signal, path: path.as_deref(), id, is_set, sequence };
            let frame = self.form().told(form::ticket(&renews.renew(&renewal)));
            self.send_queue.get_or_insert_default().owe(frame);
            self.write(None);
        }
    }

    /// Returns its place in the log, if it isn't live.
    pub(super) fn behind(&mut self) -> Option<&mut Behind> {
        self.send_queue.as_mut()?.behind.as_mut()
    }

    /// Whether the client gets messages, and no close frame was sent or
    /// received.
    pub(super) fn is_admitted(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Queues a frame behind all that the client gets. Another one, or a close frame,
    /// replaces it. The caller must then [advance](Self::advance) the client.
    #[cfg(feature = "test")]
    pub(super) fn mark(&mut self, marker: &Message) {
        if self.is_admitted() {
            let marker = self.form().told(marker.frame().clone());
            self.send_queue.get_or_insert_default().last = Some(marker);
        }
    }

    /// Queues the close frame right after a partly written frame; waiting
    /// messages are dropped.
    pub(super) fn close(&mut self, close: &Close, end: DisconnectReason) {
        if let Some(send_queue) = &mut self.send_queue {
            send_queue.drop_messages();
        }
        self.close_last(close, end, 0);
    }

    /// Queues the close frame after the waiting messages; for a client that isn't
    /// live, these are those before the message with this number.
    pub(super) fn close_last(&mut self, close: &Close, end: DisconnectReason, live: u64) {
        if self.is_open() {
            let frame = self.form().told(close.frame());
            let send_queue = self.send_queue.get_or_insert_default();
            send_queue.last = Some(frame);
            if let Some(behind) = &mut send_queue.behind {
                behind.until = Some(live);
            }
            self.phase = Phase::Closing;
            if self.form() == Form::Events {
                // Nobody answers a close event.
                self.reading = Reading::Anything;
            }
            self.subscriber.end.get_or_insert(end);
        }
    }

    /// Returns whether either side has begun to end the connection.
    pub(super) fn is_ending(&self) -> bool {
        !self.is_open() || self.reading.is_finished()
    }

    /// Whether no close frame is due or written, and no write has failed.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Joining | Phase::Open)
    }

    /// Ends the client of this signal, and reports the reason to its session and
    /// the log.
    pub(super) fn leave(mut self, signal: &str) {
        let Subscriber { end, opened, path, .. } = &self.subscriber;
        let end = end.unwrap_or(DisconnectReason::Lost);
        let (code, why) = end.told();
        opened.tell_end(path.as_deref().unwrap_or(signal), code, why);
        if let Some(inbox) = self.subscriber.inbox.take() {
            inbox.leave(end);
        }
    }

    /// Returns what the client has left to take, and has sent since it is being
    /// closed.
    pub(super) fn taken(&self) -> Taken {
        let queue = self.send_queue.as_ref();
        let left = queue.map_or(0, |queue| queue.bytes());
        let behind = queue.and_then(|queue| queue.behind.as_ref());
        Taken { left, behind: behind.map(|behind| behind.number), read: self.read_closing }
    }

    /// Whether messages of the client are being handled. It may not be read from
    /// meanwhile.
    pub(super) fn is_handled(&self) -> bool {
        self.subscriber.inbox.as_ref().is_some_and(|inbox| !inbox.is_idle())
    }

    /// Has the connection reset when it is dropped, so that the system doesn't
    /// keep data that the client doesn't take.
    pub(super) fn reset(&self) {
        if let Some(socket) = &self.socket {
            socket.reset();
        }
    }

    /// Writes what waits and what it gets from the log, and reads what came into
    /// `buffer`.
    pub(super) fn advance(
        &mut self,
        buffer: &mut [u8],
        context: &ReceiveContext<'_>,
        log: &mut LogReader<'_>,
    ) -> Progress {
        for _ in 0..READS_PER_TURN {
            let waits = match self.write(Some(log)) {
                true => Progress::Again,
                false => Progress::Waits,
            };
            if self.is_done() {
                return Progress::Done;
            }
            #[cfg(feature = "test")]
            let is_ending = self.is_ending();
            if let Some(inbox) = &mut self.subscriber.inbox
                && inbox.advance(context.waker)
            {
                self.lose_messages();
            }
            if let Some(inbox) = &mut self.subscriber.inbox {
                #[cfg(feature = "test")]
                if inbox.is_idle() && !is_ending {
                    inbox.handled.clear();
                }
                if inbox.fault.is_some() && inbox.is_idle() {
                    return Progress::Waits;
                }
            }
            if self.reading.has_ended() || self.is_held() {
                self.decoder.excuse();
                return waits;
            }
            if let Some(mut unread) = self.unread.take() {
                self.receive(&mut unread, context);
                continue;
            }
            let Some(socket) = &mut self.socket else { return waits };
            match socket.read(buffer) {
                Ok(read @ 1..) => {
                    self.liveness.show();
                    if self.is_ending() {
                        self.read_closing += read as u32;
                        if self.read_closing > MAX_READ_CLOSING {
                            self.reset();
                            return Progress::Done;
                        }
                    }
                    self.receive(&mut buffer[..read], context);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return waits,
                Ok(0) | Err(_) if self.reading.is_finished() => self.reading = Reading::Finished,
                Ok(0) | Err(_) => self.reading = Reading::Ended,
            }
        }
        Progress::Again
    }

    /// Whether its next frame has to wait. It is decoded once the socket has taken the
    /// pong: so a flood of pings is slowed to the pace at which its sender reads. Messages
    /// are read at the pace of their handler.
    fn is_held(&self) -> bool {
        let has_pong = self.send_queue.as_ref().is_some_and(|queue| queue.pong.is_some());
        has_pong || self.is_full()
    }

    fn is_done(&self) -> bool {
        // With TLS, the end must be announced, too (`close_notify`): otherwise
        // the client would take it for an accident.
        let has_fault = self.subscriber.inbox.as_ref().is_some_and(|it| it.fault.is_some());
        let owes_close = has_fault
            || self.phase == Phase::Closing
                && self.socket.as_ref().is_some_and(|socket| {
                    self.send_queue.is_some() || !socket.is_flushed() || self.reading.is_finished()
                });
        self.phase == Phase::Broken || self.reading.has_ended() && !owes_close
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use pode_core::frame::AcceptPolicy;
    use tokio::io::{AsyncReadExt, duplex};

    use super::super::behind::Read;
    use super::super::form::Batch;
    use super::super::policy::{QueueLimits, SubscriberPolicy};
    use super::super::socket::Connection;
    use super::super::subscriber::Groups;
    use super::*;
    use crate::base::log::access::OpeningTime;
    use crate::push::engine::OnLag;

    fn subscriber() -> Subscriber {
        Subscriber {
            id: "ada".parse().unwrap(),
            path: None,
            groups: Groups::default(),
            arrival: 0,
            end: None,
            opened: OpeningTime::now(),
            inbox: None,
            permit: None,
        }
    }

    fn batch(frames: &[&'static str]) -> Batch {
        let frames = frames.iter().map(|frame| Bytes::from_static(frame.as_bytes()));
        Batch::new(frames.collect(), None)
    }

    #[test]
    fn a_client_is_small() {
        assert!(size_of::<Client>() <= 136);
    }

    #[tokio::test]
    async fn a_burst_is_cut_where_the_socket_is_full() {
        let limits = QueueLimits { messages: 3, bytes: 10, on_lag: OnLag::Disconnect };
        let nothing = AcceptPolicy::Nothing;
        let zero = Duration::ZERO;
        let policy = SubscriberPolicy::new(limits.on_lag, zero, zero, nothing, None);
        let policy = SubscriberPolicy { limits, ..policy };
        let (mut peer, stream) = duplex(6);
        let mut client = Client::new(subscriber(), Speaks::Plain);
        client.admit();
        client.open(Connection::portable(stream));

        assert_eq!(client.send(&batch(&["one ", "two ", "three"]), &policy), SendOutcome::All);
        assert_eq!(client.send(&batch(&["!!!", "!!!"]), &policy), SendOutcome::SlowConsumer);
        client.close(&Close::answer_to(b""), DisconnectReason::ByServer { code: 1000 });

        let mut heard = vec![0; 6];
        peer.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, b"one tw");
        let context = ReceiveContext {
            path: "/",
            accepts: AcceptPolicy::Nothing,
            waker: &|| Waker::noop().clone(),
        };
        let read = &mut Read::default();
        let (on_lag, has_keys) = (OnLag::Disconnect, false);
        let mut log = LogReader { log: None, live: 0, on_lag, has_keys, present: None, read };
        assert_eq!(client.advance(&mut [0; 10], &context, &mut log), Progress::Waits);
        let mut heard = vec![0; 4];
        peer.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, b"o \x88\0", "the frame that was begun, and then goodbye");
    }
}
