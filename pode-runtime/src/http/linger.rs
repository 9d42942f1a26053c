//! Bytes that clients still send when they have their answer, or none is to
//! come. They are read for a while, since many clients would otherwise lose the
//! answer.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Buf};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long a client may go on sending unwanted bytes after the answer, when
/// the connection ends, or in HTTP/2 the stream. Closing with unread bytes
/// would reset it and lose the answer.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// How many of these bytes are discarded.
pub(crate) const LINGER_BYTES: usize = 1 << 20;

/// Reads and discards an unwanted body for a while: if a stream is reset while
/// they send, some clients take it for failed and lose the answer.
pub(crate) fn drain<B>(mut body: B)
where
    B: Body + Send + Unpin + 'static,
{
    let Ok(runtime) = Handle::try_current() else { return };
    let thrown_away = async move {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await
            && bytes < LINGER_BYTES
        {
            bytes += frame.data_ref().map_or(0, Buf::remaining);
        }
    };
    runtime.spawn(timeout(LINGER, thrown_away));
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use futures_util::stream;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    #[tokio::test]
    async fn of_a_body_without_end_no_more_than_a_mebibyte_is_thrown_away() {
        let read = Arc::new(AtomicUsize::new(0));
        let its_read = Arc::clone(&read);
        let pieces = stream::repeat_with(move || {
            its_read.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[0; 1 << 16])))
        });
        drain(StreamBody::new(pieces));
        while Arc::strong_count(&read) > 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(read.load(Ordering::Relaxed), 17);
    }
}
