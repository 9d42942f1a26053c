//! Bodies of requests, with a limit on how far their senders may fall behind.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Frame, SizeHint};

use crate::base::limits::Limits;
use crate::http::min_throughput::MinThroughput;

/// A body that fails with [`BodyTooSlow`] when it falls too far behind.
#[derive(Debug)]
pub(crate) struct TimedBody<B> {
    body: B,
    pace: MinThroughput,
}

/// The body of a request came too slowly.
#[derive(Debug, thiserror::Error)]
#[error("the body comes too slowly")]
pub(crate) struct BodyTooSlow;

impl BodyTooSlow {
    /// Returns whether it is the cause of an error.
    pub(crate) fn is_cause_of(error: &(dyn Error + 'static)) -> bool {
        error.is::<BodyTooSlow>() || error.source().is_some_and(BodyTooSlow::is_cause_of)
    }
}

impl<B> TimedBody<B> {
    pub(crate) fn new(body: B, limits: &Limits) -> TimedBody<B> {
        TimedBody {
            body,
            pace: MinThroughput::new(limits.body_timeout, limits.min_bytes_per_second),
        }
    }
}

impl<B> Body for TimedBody<B>
where
    B: Body + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = B::Data;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            ready!(self.pace.poll_late(context));
            return Poll::Ready(Some(Err(BodyTooSlow.into())));
        };
        let bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
        self.pace.progress(bytes.map_or(0, bytes::Buf::remaining));
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
