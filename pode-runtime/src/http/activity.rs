//! The activity of a connection: whether the server or the client has to act.
//!
//! The code that reads and writes the connection decides by it what to wait
//! for, and how long.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::TryFutureExt;
use http::{Request, Response, Version};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::{Notify, oneshot};

use crate::http::handshake::is_upgrade;
use crate::http::linger::drain;
use crate::net::connection_limit::ConnectionPermit;
use crate::net::upgraded::{Stream, UpgradedConnection};

/// The activity of one connection. Shared by reference.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// How many requests have begun and aren't done: whose response isn't handed
    /// over, or whose handler goes on.
    in_progress: AtomicUsize,
    /// How many of them wait for the server.
    unanswered: AtomicUsize,
    /// How many requests there have been.
    requests: AtomicU64,
    /// Whether the last of them is a WebSocket handshake.
    is_handshake: AtomicBool,
    /// Notified at each change of `unanswered`, in HTTP/2.
    changed: Notify,
    is_http_2: bool,
    /// Whether a request's body is being read.
    reads_body: AtomicBool,
    /// Whether a request's body was not read to its end.
    left_unread: AtomicBool,
    /// Whether it is to be seen whether the client is still there.
    is_looked_after: AtomicBool,
    /// Whether the client has ended its side while a request is in progress; noticed
    /// in HTTP/1.
    is_half_closed: AtomicBool,
    /// Whether the connection takes no further request.
    stops: AtomicBool,
    /// Counts the connection, until nothing of it is left.
    permit: Mutex<Option<ConnectionPermit>>,
    /// Whether the connection is to leave HTTP, or has left it.
    departs: AtomicBool,
    departure: Mutex<Option<Departure>>,
}

/// How a connection of HTTP/1 leaves HTTP in the middle of its response.
#[derive(Debug)]
pub(crate) struct Departure {
    /// What its client is to get first: the head of the response.
    pub(crate) owed: Bytes,
    pub(crate) to: oneshot::Sender<UpgradedConnection>,
}

impl Departure {
    pub(crate) fn leave(self, stream: Stream, permit: Option<ConnectionPermit>) {
        let Departure { owed, to } = self;
        // Whoever waited for it may have gone; then it is dropped.
        let _ = to.send(UpgradedConnection { stream, read: Bytes::new(), owed, permit });
    }
}

impl Activity {
    pub(crate) fn of_http_1(permit: Option<ConnectionPermit>) -> Activity {
        Activity { permit: Mutex::new(permit), ..Activity::default() }
    }

    pub(crate) fn of_http_2(permit: Option<ConnectionPermit>) -> Activity {
        Activity { is_http_2: true, ..Activity::of_http_1(permit) }
    }

    /// Takes the permit of a connection that goes on without HTTP.
    pub(crate) fn take_permit(&self) -> Option<ConnectionPermit> {
        // No code panics while it holds the lock.
        self.permit.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Has the connection leave HTTP as soon as nothing is owed to earlier requests.
    pub(crate) fn depart(&self, departure: Departure) {
        *self.departure.lock().unwrap_or_else(PoisonError::into_inner) = Some(departure);
        self.departs.store(true, Ordering::Release);
    }

    /// Takes how the connection is to leave HTTP, if it is.
    pub(crate) fn departs(&self) -> Option<Departure> {
        self.departs.load(Ordering::Acquire).then_some(())?;
        self.departure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until the connection has left HTTP: only in the task that polls it, and behind
    /// it, since nothing wakes it.
    pub(crate) async fn departed(&self) {
        poll_fn(|_| {
            let has_left = self.departs.load(Ordering::Acquire)
                && self.departure.lock().unwrap_or_else(PoisonError::into_inner).is_none();
            if has_left { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Returns whether a request waits for the server.
    pub(crate) fn is_answering(&self) -> bool {
        self.unanswered.load(Ordering::Acquire) > 0
    }

    /// Returns how many requests aren't done, with those whose client has left
    /// and whose handler goes on.
    pub(crate) fn in_progress(&self) -> usize {
        self.in_progress.load(Ordering::Acquire)
    }

    /// Returns whether a request has come as a whole and isn't done, so that its
    /// client may end its side.
    pub(crate) fn has_whole_request(&self) -> bool {
        self.in_progress() > 0 && !self.reads_body.load(Ordering::Acquire)
    }

    /// Has it looked once whether the client is still there, if a request is in
    /// progress: hyper reads nothing as long as bytes of the client are unread.
    pub(crate) fn look_after(&self) {
        self.is_looked_after.store(true, Ordering::Release);
    }

    /// Returns whether to look, and forgets it.
    pub(crate) fn takes_look(&self) -> bool {
        self.is_looked_after.load(Ordering::Acquire)
            && self.is_looked_after.swap(false, Ordering::AcqRel)
    }

    /// Notes whether the client has ended its side.
    pub(crate) fn note_half_close(&self, is_half_closed: bool) {
        self.is_half_closed.store(is_half_closed, Ordering::Release);
    }

    pub(crate) fn is_half_closed(&self) -> bool {
        self.is_half_closed.load(Ordering::Acquire)
    }

    /// Notes that the connection is to end: heads that have begun have little time left.
    pub(crate) fn stop(&self) {
        self.stops.store(true, Ordering::Release);
    }

    pub(crate) fn stops(&self) -> bool {
        self.stops.load(Ordering::Acquire)
    }

    /// Returns how many requests there have been.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Acquire)
    }

    /// Waits until the number of unanswered requests of HTTP/2 changes. A change
    /// counts from the call on, not from the first poll.
    pub(crate) fn changed(&self) -> impl Future<Output = ()> {
        self.changed.notified()
    }

    fn notify(&self) {
        if self.is_http_2 {
            self.changed.notify_waiters();
        }
    }

    /// Waits until the first request has come: only in the task that polls the
    /// connection, and behind it, since nothing wakes it.
    pub(crate) async fn first_request(&self) {
        poll_fn(|_| if self.requests() > 0 { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Waits until no handshake waits for its answer: only in the task that
    /// polls the connection, and behind it, since nothing wakes it.
    pub(crate) async fn no_handshake(&self) {
        poll_fn(|_| {
            let waits = self.is_answering() && self.is_handshake.load(Ordering::Acquire);
            if waits { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    /// Returns whether the client may still be sending an unwanted body.
    pub(crate) fn is_left_unread(&self) -> bool {
        self.left_unread.load(Ordering::Relaxed)
    }
}

/// Lets a service answer a request, and tracks both.
pub(crate) fn tracked<S, F, B>(
    service: &S,
    request: Request<Incoming>,
    activity: &Arc<Activity>,
) -> impl Future<Output = Result<Response<ResponseBody<B>>, Infallible>> + use<S, F, B>
where
    S: Fn(Request<RequestBody<Incoming>>) -> F,
    F: Future<Output = Result<Response<B>, Infallible>>,
{
    activity.is_handshake.store(is_upgrade(request.headers()), Ordering::Release);
    let unanswered = RequestInProgress::new(activity);
    // In HTTP/1 the connection lingers instead.
    let left = (request.version() == Version::HTTP_2).then_some(drain as fn(Incoming));
    service(request.map(|body| RequestBody::new(body, left, activity)))
        .map_ok(|response| response.map(|body| ResponseBody::new(body, unanswered)))
}

/// A request that waits for the server, from its arrival until all of its
/// response was handed over.
#[derive(Debug)]
pub(crate) struct RequestInProgress {
    activity: Arc<Activity>,
    counts: bool,
}

impl RequestInProgress {
    pub(crate) fn new(activity: &Arc<Activity>) -> RequestInProgress {
        activity.requests.fetch_add(1, Ordering::AcqRel);
        RequestInProgress::left(activity)
    }

    /// A request whose client has left it, and whose handler goes on.
    pub(crate) fn left(activity: &Arc<Activity>) -> RequestInProgress {
        activity.in_progress.fetch_add(1, Ordering::AcqRel);
        let mut unanswered = RequestInProgress { activity: Arc::clone(activity), counts: false };
        unanswered.take();
        unanswered
    }

    /// It is the server's turn.
    fn take(&mut self) {
        if !std::mem::replace(&mut self.counts, true) {
            self.activity.unanswered.fetch_add(1, Ordering::AcqRel);
            self.activity.notify();
        }
    }

    /// It is the client's turn to take what it was given.
    fn hand_over(&mut self) {
        if std::mem::replace(&mut self.counts, false) {
            self.activity.unanswered.fetch_sub(1, Ordering::AcqRel);
            self.activity.notify();
        }
    }
}

impl Drop for RequestInProgress {
    fn drop(&mut self) {
        self.hand_over();
        self.activity.in_progress.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A request's body that tracks whether it was read to its end.
#[derive(Debug)]
pub(crate) struct RequestBody<B: Body> {
    /// Present until it is dropped.
    body: Option<B>,
    has_ended: bool,
    /// Takes the body if it isn't read to its end.
    left: Option<fn(B)>,
    activity: Arc<Activity>,
}

impl<B: Body> RequestBody<B> {
    /// Returns the activity of the connection on which it comes.
    pub(crate) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    fn new(body: B, left: Option<fn(B)>, activity: &Arc<Activity>) -> RequestBody<B> {
        if !body.is_end_stream() {
            activity.reads_body.store(true, Ordering::Release);
        }
        RequestBody { body: Some(body), has_ended: false, left, activity: Arc::clone(activity) }
    }
}

impl<B: Body + Unpin> Body for RequestBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(context);
        if let Poll::Ready(None | Some(Err(_))) = polled {
            self.has_ended = true;
            self.activity.reads_body.store(false, Ordering::Release);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl<B: Body> Drop for RequestBody<B> {
    fn drop(&mut self) {
        let body = self.body.take().filter(|body| !self.has_ended && !body.is_end_stream());
        if let Some(body) = body {
            self.activity.reads_body.store(false, Ordering::Release);
            self.activity.left_unread.store(true, Ordering::Relaxed);
            if let Some(left) = self.left {
                left(body);
            }
        }
    }
}

/// A response's body, dropped when it is handed over or no longer wanted.
#[derive(Debug)]
pub(crate) struct ResponseBody<B> {
    body: B,
    request: RequestInProgress,
}

impl<B> ResponseBody<B> {
    pub(crate) fn new(body: B, request: RequestInProgress) -> ResponseBody<B> {
        ResponseBody { body, request }
    }
}

impl<B: Body + Unpin> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.request.take();
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_ready() {
            // When it is polled again, it is the server's turn again.
            self.request.hand_over();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full, StreamBody};

    use super::*;

    #[tokio::test]
    async fn it_is_the_clients_turn_when_it_was_given_something() {
        let activity = Arc::new(Activity::default());
        let request = RequestInProgress::new(&activity);
        assert!(activity.is_answering());
        let frames = [Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b"one")))];
        let frames = futures_util::StreamExt::chain(
            futures_util::stream::iter(frames),
            futures_util::stream::pending(),
        );
        let mut body = ResponseBody::new(StreamBody::new(frames), request);
        assert!(activity.is_answering(), "nothing was handed over");
        body.frame().await.unwrap().unwrap();
        assert!(!activity.is_answering());
        assert!(futures_util::FutureExt::now_or_never(body.frame()).is_none());
        assert!(activity.is_answering(), "the client waits for the next");
        drop(body);
        assert!(!activity.is_answering());
        assert_eq!(activity.requests(), 1);
    }

    #[tokio::test]
    async fn a_body_that_nobody_reads_is_noted() {
        let activity = Arc::new(Activity::default());
        let mut read = RequestBody::new(Full::new(Bytes::from_static(b"one")), None, &activity);
        while read.frame().await.is_some() {}
        drop(read);
        drop(RequestBody::new(Full::new(Bytes::new()), None, &activity));
        assert!(!activity.is_left_unread());
        drop(RequestBody::new(Full::new(Bytes::from_static(b"one")), None, &activity));
        assert!(activity.is_left_unread());
    }
}
