//! HTTP/2, for clients that chose it in the TLS handshake.
//!
//! It has bounds that HTTP/1.1 has by its nature: how many requests at once,
//! and when a connection is idle.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Request;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::rt::{Read, Write};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use warp::reply::Response;

use crate::shutdown::told_to_stop;

/// How many requests of one connection are answered at once.
const MOST_STREAMS: u32 = 100;

/// How large the headers of a request may be, together.
const MOST_HEADER_BYTES: u32 = 16 << 10;

/// How long a connection may be without a request. Then it is told, and given
/// the same time again to end.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client may be silent before it is asked whether it is there.
const PING_AFTER: Duration = Duration::from_secs(20);

/// How long it may take to say so.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves the requests of one connection, until it has ended or been idle for
/// too long, or the server stops; then requests in flight are answered.
pub(crate) async fn serve<I, S, F>(
    io: I,
    service: S,
    mut stopping: watch::Receiver<Option<Instant>>,
) -> hyper::Result<()>
where
    I: Read + Write + Unpin,
    S: Fn(Request<Incoming>) -> F,
    F: Future<Output = Result<Response, Infallible>> + Send + 'static,
{
    let (in_flight, changes) = watch::channel(0);
    let service = service_fn(move |request| {
        let counted = InFlight::new(&in_flight);
        let answer = service(request);
        async move {
            let Ok(response) = answer.await;
            Ok::<_, Infallible>(response.map(|body| Counted { body, _request: counted }))
        }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(MOST_HEADER_BYTES)
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_TIMEOUT)
        .serve_connection(io, service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        result = connection.as_mut() => return result,
        _ = told_to_stop(&mut stopping) => {}
        () = idle(changes) => {
            connection.as_mut().graceful_shutdown();
            // A client that answers nothing has no request to lose.
            return timeout(IDLE_TIMEOUT, connection).await.unwrap_or(Ok(()));
        }
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// Waits until there has been no request for a while.
async fn idle(mut in_flight: watch::Receiver<usize>) {
    loop {
        let busy = *in_flight.borrow_and_update() > 0;
        let change = in_flight.changed();
        if busy {
            // The service, which holds the sender, lives as long as this.
            let _ = change.await;
        } else if timeout(IDLE_TIMEOUT, change).await.is_err() {
            return;
        }
    }
}

/// A request from its arrival to the last byte of its answer.
struct InFlight {
    count: watch::Sender<usize>,
}

impl InFlight {
    fn new(count: &watch::Sender<usize>) -> InFlight {
        count.send_modify(|count| *count += 1);
        InFlight { count: count.clone() }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.count.send_modify(|count| *count -= 1);
    }
}

/// An answer's body, dropped when it is sent or nobody wants it.
struct Counted<B> {
    body: B,
    _request: InFlight,
}

impl<B: Body + Unpin> Body for Counted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
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
    use hyper_util::rt::TokioIo;
    use tokio::io::AsyncReadExt;

    use super::*;

    /// Time jumps ahead when all that is left is to wait for it.
    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_given_up() {
        let (server, mut silent) = tokio::io::duplex(4096);
        let stopping = watch::Sender::new(None);
        let service = |_| async { unreachable!("nothing is asked for") };
        let started = Instant::now();
        let serving = serve(TokioIo::new(server), service, stopping.subscribe());
        let heard = async {
            let mut heard = Vec::new();
            silent.read_to_end(&mut heard).await.expect("the server ends the connection")
        };
        let (_ended, _heard) = tokio::join!(serving, heard);
        assert!(started.elapsed() >= IDLE_TIMEOUT);
        assert!(started.elapsed() <= IDLE_TIMEOUT * 2 + PING_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_when_no_request_is_left() {
        let (count, changes) = watch::channel(0);
        let started = Instant::now();
        let request = InFlight::new(&count);
        let answering = async {
            tokio::time::sleep(IDLE_TIMEOUT * 3).await;
            drop(request);
            // Even one that is answered at once counts.
            tokio::time::sleep(IDLE_TIMEOUT / 2).await;
            drop(InFlight::new(&count));
        };
        tokio::join!(idle(changes), answering);
        assert_eq!(started.elapsed(), IDLE_TIMEOUT * 9 / 2);
    }
}
