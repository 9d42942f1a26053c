//! The responses of an HTTP/2 connection, and how far each client's windows let
//! them go: a client that takes nothing of one stream is given up, whatever
//! else it asks for.
//!
//! What the client takes is seen where it is written: h2 advances through the
//! data of a response as its frames go to the connection. A stream is waited
//! for while some of its data isn't written; then it has to keep the minimum
//! throughput, as a whole connection has in HTTP/1. A stream that is late is
//! reset, by dropping its task; if that has ended, since h2 has the last piece
//! of the response, the connection ends.
//!
//! Streams share their connection: on a slow link each waits for the others.
//! So while the connection as a whole keeps the minimum throughput, each of the
//! streams that wait uses up only a share of the time. One that gets nothing is
//! late all the same, if later.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use crate::base::limits::Limits;
use crate::http::min_throughput::time_for;

/// The longest piece of a response that is handed to h2 at once: as long as a
/// frame. What h2 has isn't taken back if it is the last.
const PIECE_BYTES: usize = 16 << 10;

/// The least time for a stream, since the server, too, needs some to write.
const LEAST_TIME: Duration = Duration::from_secs(1);

/// How often the other streams may take their turn before one gets its own: h2
/// has them take turns, and the head of a response is a turn.
const TURNS: u32 = 2;

tokio::task_local! {
    /// The stream that a task answers.
    static STREAM: Arc<Stream>;
}

/// The streams of one connection. Cloning shares them.
///
/// As the executor of hyper it makes the task of each stream.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// No code of others runs under this lock, so it isn't poisoned.
    state: Mutex<State>,
    /// Notified when a stream may be late before `State::looks_at`.
    sooner: Notify,
}

/// One of the streams; the last of its holders forgets it.
#[derive(Debug)]
struct Stream {
    id: u64,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct State {
    allowed: Duration,
    bytes_per_second: usize,
    streams: HashMap<u64, Progress>,
    last_id: u64,
    /// How many of the streams are waited for.
    waiting: u32,
    /// How long a stream would have been waited for that always was.
    waited: Duration,
    /// The moment up to which that is counted.
    counted: Instant,
    /// The time for which the connection has written enough.
    covered: Duration,
    /// When something was last written, or given up.
    written: Instant,
    /// When the streams are looked at next.
    looks_at: Option<Instant>,
}

/// What is known of one stream.
#[derive(Debug)]
struct Progress {
    /// How many bytes were handed over and aren't written.
    unwritten: usize,
    /// How long the client may still be waited for, by `State::waited`.
    left: Duration,
    /// The `State::waited` up to which that is counted, if it is waited for.
    since: Duration,
    /// Absent until it has been made.
    task: Option<AbortHandle>,
}

impl Streams {
    pub(crate) fn new(limits: &Limits) -> Streams {
        let state = State {
            allowed: limits.write_timeout.max(LEAST_TIME),
            bytes_per_second: limits.min_bytes_per_second,
            streams: HashMap::new(),
            last_id: 0,
            waiting: 0,
            waited: Duration::ZERO,
            counted: Instant::now(),
            covered: Duration::ZERO,
            written: Instant::now(),
            looks_at: None,
        };
        let shared = Shared { state: Mutex::new(state), sooner: Notify::new() };
        Streams { shared: Arc::new(shared) }
    }

    fn add(&self) -> Arc<Stream> {
        let id = self.shared.state().add();
        Arc::new(Stream { id, shared: Arc::clone(&self.shared) })
    }

    /// Makes a response of the stream whose task this is report its progress.
    pub(crate) fn track<B>(response: http::Response<B>) -> http::Response<TrackedBody<B>> {
        let stream = STREAM.with(Arc::clone);
        response.map(|body| TrackedBody { body, rest: Bytes::new(), stream })
    }

    /// Returns since when all of the responses is written, as far as it has been
    /// handed over; `None` if some isn't.
    pub(crate) fn written_since(&self) -> Option<Instant> {
        let state = self.shared.state();
        (state.waiting == 0).then_some(state.written)
    }

    /// Resets the streams that are late, until one of them can't be reset.
    pub(crate) async fn cant_be_reset(&self) {
        loop {
            let (late, next) = self.shared.state().look();
            let all = late.len();
            let tasks: Vec<_> = late.into_iter().flatten().collect();
            // Outside the lock: what a task holds may be dropped here.
            tasks.iter().for_each(AbortHandle::abort);
            if all > 0 {
                let text = "the client takes too long to read (`write_timeout`)";
                tracing::debug!(responses = all, reset = tasks.len(), "{text}");
            }
            if tasks.len() < all {
                return;
            }
            tokio::select! {
                () = until(next) => {}
                () = self.shared.sooner.notified() => {}
            }
        }
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
impl Streams {
    /// Makes a piece of a response of a stream of its own.
    pub(crate) fn piece(&self, bytes: &'static [u8]) -> Piece {
        self.add().piece(Bytes::from_static(bytes))
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, answering: F) {
        let stream = self.add();
        let id = stream.id;
        let task = tokio::spawn(STREAM.scope(stream, answering)).abort_handle();
        if let Some(progress) = self.shared.state().streams.get_mut(&id) {
            progress.task = Some(task);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    /// Notes that h2 is given these bytes.
    fn piece(self: &Arc<Stream>, bytes: Bytes) -> Piece {
        if self.shared.state().hand_over(self.id, bytes.len()) {
            self.shared.sooner.notify_one();
        }
        Piece { bytes, stream: Arc::clone(self) }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shared.state().remove(self.id);
    }
}

impl State {
    fn add(&mut self) -> u64 {
        self.last_id += 1;
        let left = self.allowed;
        let progress = Progress { unwritten: 0, left, since: Duration::ZERO, task: None };
        self.streams.insert(self.last_id, progress);
        self.last_id
    }

    fn remove(&mut self, id: u64) {
        self.count();
        self.written = self.counted;
        if self.streams.remove(&id).is_some_and(|progress| progress.unwritten > 0) {
            self.waiting -= 1;
        }
    }

    /// Counts the time until now.
    fn count(&mut self) {
        let now = Instant::now();
        let elapsed = now.saturating_duration_since(self.counted);
        self.counted = now;
        let shared = elapsed.min(self.covered);
        self.covered -= shared;
        let turns = if self.waiting > 1 { self.waiting * TURNS } else { 1 };
        self.waited += elapsed - shared + shared / turns;
    }

    /// Notes bytes that h2 is given. Returns whether the stream may be late
    /// before the streams are looked at next.
    fn hand_over(&mut self, id: u64, bytes: usize) -> bool {
        self.count();
        let Some(progress) = self.streams.get_mut(&id) else { return false };
        let is_waited_for = progress.unwritten > 0;
        progress.unwritten += bytes;
        if is_waited_for || bytes == 0 {
            return false;
        }
        self.waiting += 1;
        progress.since = self.waited;
        self.looks_at.is_none_or(|looks_at| self.counted + progress.left < looks_at)
    }

    /// Notes bytes that h2 has written, or has given up.
    fn take(&mut self, id: u64, bytes: usize, is_written: bool) {
        self.count();
        let gained = match is_written {
            true => time_for(bytes, self.bytes_per_second),
            false => Duration::ZERO,
        };
        self.written = self.counted;
        self.covered = (self.covered + gained).min(self.allowed);
        let Some(progress) = self.streams.get_mut(&id) else { return };
        let waited = self.waited - progress.since;
        progress.since = self.waited;
        progress.left = (progress.left.saturating_sub(waited) + gained).min(self.allowed);
        progress.unwritten -= bytes;
        if progress.unwritten == 0 {
            self.waiting -= 1;
        }
    }

    /// Returns the tasks of the streams that are late, `None` for one that has
    /// ended, and when to look again. A stream that is reset has its time for
    /// that once more.
    fn look(&mut self) -> (Vec<Option<AbortHandle>>, Option<Instant>) {
        self.count();
        let mut late = Vec::new();
        let mut soonest: Option<Duration> = None;
        for progress in self.streams.values_mut().filter(|progress| progress.unwritten > 0) {
            let waited = self.waited - progress.since;
            if waited >= progress.left {
                late.push(progress.task.clone().filter(|task| !task.is_finished()));
                (progress.since, progress.left) = (self.waited, self.allowed);
            }
            let left = progress.left - (self.waited - progress.since);
            soonest = Some(soonest.map_or(left, |soonest| soonest.min(left)));
        }
        self.looks_at = soonest.map(|left| self.counted + left);
        (late, self.looks_at)
    }
}

/// The body of a response, in pieces that report when they are written.
#[derive(Debug)]
pub(crate) struct TrackedBody<B> {
    body: B,
    /// What the body has given and h2 hasn't got yet.
    rest: Bytes,
    stream: Arc<Stream>,
}

impl<B: Body<Data = Bytes> + Unpin> Body for TrackedBody<B> {
    type Data = Piece;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, B::Error>>> {
        let this = self.get_mut();
        let rest = std::mem::take(&mut this.rest);
        let frame = if rest.is_empty() {
            let polled = ready!(Pin::new(&mut this.body).poll_frame(context)?);
            let Some(frame) = polled else { return Poll::Ready(None) };
            frame
        } else {
            Frame::data(rest)
        };
        Poll::Ready(Some(Ok(frame.map_data(|mut data| {
            let bytes = data.split_to(data.len().min(PIECE_BYTES));
            this.rest = data;
            this.stream.piece(bytes)
        }))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // hyper asks for it before the first frame.
        self.body.size_hint()
    }
}

/// Bytes that are noted as they are written, or dropped.
#[derive(Debug)]
pub(crate) struct Piece {
    bytes: Bytes,
    stream: Arc<Stream>,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, bytes: usize) {
        self.bytes.advance(bytes);
        if bytes > 0 {
            self.stream.shared.state().take(self.stream.id, bytes, true);
        }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if !self.bytes.is_empty() {
            self.stream.shared.state().take(self.stream.id, self.bytes.len(), false);
        }
    }
}
