//! HTTP/2, for clients that chose it in the TLS handshake.
//!
//! It needs limits that HTTP/1.1 has by its nature: how many requests at once,
//! when a connection is idle, and how far a client may fall behind on one of
//! its streams.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryFutureExt;
use futures_util::future::Either;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::{Instant, sleep, timeout};
use warp::Reply;
use warp::reply::Response;

use crate::base::limits::Limits;
use crate::http::activity::{Activity, RequestBody, tracked};
use crate::http::response::sentence;
use crate::http::stream_progress::Streams;
use crate::http::timeout_stream::{TimeoutStream, Transport};
use crate::net::connection_limit::ConnectionPermit;
use crate::net::shutdown::LastRequest;

/// How many requests of one connection are answered at once.
const MOST_STREAMS: u32 = 100;

/// How many requests of one connection may be in progress. A client that takes
/// requests back may make new ones, but handlers run to their end.
const MOST_IN_PROGRESS: usize = 2 * MOST_STREAMS as usize;

/// How long a client may be silent before it gets a ping.
const PING_AFTER: Duration = Duration::from_secs(20);

/// How long the client may take to answer the ping.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client without a request has to leave when none is taken any more.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// How often to look whether a response is still waited for, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Serves the requests of one connection until it has ended or been idle for
/// too long, or takes no further request; requests in flight are then answered.
pub(crate) async fn serve<T, S, F>(
    stream: T,
    permit: Option<ConnectionPermit>,
    limits: &Limits,
    service: S,
    last: impl Into<LastRequest>,
) -> hyper::Result<()>
where
    T: Transport,
    S: Fn(Request<RequestBody<Incoming>>) -> F + 'static,
    F: Future<Output = Result<Response, Infallible>> + Send + 'static,
{
    let activity = Arc::new(Activity::of_http_2(permit));
    let stream = TimeoutStream::http_2(stream, &activity, limits);
    let its_activity = Arc::clone(&activity);
    let service = move |request: Request<RequestBody<Incoming>>| {
        if request.body().activity().in_progress() > MOST_IN_PROGRESS {
            let text = "too many requests of this connection are still in progress";
            let refused = sentence(StatusCode::SERVICE_UNAVAILABLE, text);
            return Either::Left(ready(Ok(refused.into_response())));
        }
        Either::Right(service(request))
    };
    let service =
        service_fn(move |request| tracked(&service, request, &its_activity).map_ok(Streams::track));
    let streams = Streams::new(limits);
    let max_head_bytes = u32::try_from(limits.max_head_bytes).unwrap_or(u32::MAX);
    let connection = http2::Builder::new(streams.clone())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(max_head_bytes)
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let mut last = last.into();
    let patience = tokio::select! {
        // First the connection, from which the first request comes.
        biased;
        result = connection.as_mut() => return result,
        () = last.told(activity.first_request()) => None,
        () = streams.cant_be_reset() => Some(limits.write_timeout),
        // A client that answers nothing has no request to lose.
        () = idle(&activity, &streams, limits) => Some(limits.keep_alive_timeout.max(PING_TIMEOUT)),
    };
    connection.as_mut().graceful_shutdown();
    let has_left = async {
        match patience {
            Some(patience) => sleep(patience).await,
            // Requests in flight are answered.
            None => {
                let (head_timeout, keep_alive_timeout) = (STOP_TIMEOUT, STOP_TIMEOUT);
                let limits = Limits { head_timeout, keep_alive_timeout, ..*limits };
                idle(&activity, &streams, &limits).await;
            }
        }
    };
    tokio::select! {
        result = connection => result,
        () = streams.cant_be_reset() => Ok(()),
        () = has_left => Ok(()),
    }
}

/// Waits until, for a while, the client has sent no request and has had all of
/// its responses.
async fn idle(activity: &Activity, streams: &Streams, limits: &Limits) {
    let mut since = Instant::now();
    loop {
        let changed = activity.changed();
        let patience = match activity.requests() {
            // The first request has the time for its head, as in HTTP/1.
            0 => limits.keep_alive_timeout.max(limits.head_timeout),
            _ => limits.keep_alive_timeout,
        };
        if activity.is_answering() {
            changed.await;
        } else {
            let left = match streams.written_since() {
                None => patience.max(LOOK_EVERY),
                Some(written) => patience.saturating_sub(since.max(written).elapsed()),
            };
            if left.is_zero() {
                return;
            }
            if timeout(left, changed).await.is_err() {
                continue;
            }
        }
        since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::watch;

    use super::*;
    use crate::http::activity::RequestInProgress;

    /// Kinds of frames (RFC 9113, section 6).
    const DATA: u8 = 0;
    const GOAWAY: u8 = 7;

    /// Paused time jumps ahead when every task waits for it.
    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_given_up() {
        let (server, mut silent) = tokio::io::duplex(4096);
        let stopping = watch::Sender::new(None);
        let service = |_| async { unreachable!("nothing is asked for") };
        let (started, limits) = (Instant::now(), Limits::default());
        let serving = serve(server, None, &limits, service, stopping.subscribe());
        let heard = async {
            let mut heard = Vec::new();
            silent.read_to_end(&mut heard).await.expect("the server ends the connection")
        };
        let (_ended, _heard) = tokio::join!(serving, heard);
        assert!(started.elapsed() >= limits.keep_alive_timeout);
        assert!(started.elapsed() <= limits.keep_alive_timeout * 2 + PING_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_doesnt_hold_up_a_stop() {
        let (server, _silent) = tokio::io::duplex(4096);
        let deadline = Instant::now() + Duration::from_secs(3600);
        let stopping = watch::Sender::new(Some(deadline));
        let service = |_| async { unreachable!("nothing is asked for") };
        let (started, limits) = (Instant::now(), Limits::default());
        let served = serve(server, None, &limits, service, stopping.subscribe());
        timeout(Duration::from_secs(60), served).await.expect("it ends").unwrap();
        assert_eq!(started.elapsed(), STOP_TIMEOUT);
    }

    /// As a hand-over ends a connection.
    #[tokio::test(start_paused = true)]
    async fn who_is_to_go_to_a_newer_process_has_its_first_request_answered() {
        let (server, mut client) = tokio::io::duplex(4096);
        let stopping = watch::Sender::new(None);
        let accepting = watch::Sender::new(false);
        let last = LastRequest { stopping: stopping.subscribe(), accepting: accepting.subscribe() };
        let go_on = Arc::new(tokio::sync::Notify::new());
        let gate = Arc::clone(&go_on);
        let service = move |_| {
            let gate = Arc::clone(&gate);
            async move {
                gate.notified().await;
                Ok("here".into_response())
            }
        };
        let (started, limits) = (Instant::now(), Limits::default());
        let serving = serve(server, None, &limits, service, last);
        let asking = async {
            let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
            client.write_all(preface).await.expect("the server reads");
            sleep(limits.head_timeout / 2).await;
            let get = b"\0\0\x03\x01\x05\0\0\0\x01\x82\x84\x86";
            client.write_all(get).await.expect("the server reads");
            let mut heard = Vec::new();
            loop {
                let mut head = [0; 9];
                if client.read_exact(&mut head).await.is_err() {
                    return heard;
                }
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                client.read_exact(&mut vec![0; length as usize]).await.expect("a frame");
                heard.push(head[3]);
                if head[3] == GOAWAY {
                    go_on.notify_one();
                }
            }
        };
        let (_ended, heard) = tokio::join!(serving, asking);
        let place = |kind| heard.iter().position(|heard| *heard == kind);
        assert!(place(GOAWAY) < place(DATA) && place(GOAWAY).is_some(), "{heard:?}");
        assert!(started.elapsed() < limits.keep_alive_timeout);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_trickles_ends_its_connection() {
        let (server, client) = tokio::io::duplex(4096);
        let stopping = watch::Sender::new(None);
        let service = |_| async { unreachable!("nothing is asked for") };
        let (started, limits) = (Instant::now(), Limits::default());
        let serving = serve(server, None, &limits, service, stopping.subscribe());
        let (mut reads, mut writes) = tokio::io::split(client);
        let trickle = async {
            // The preface, settings, and the beginning of a head of 1,000 bytes.
            let begins =
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\x03\xe8\x01\x05\0\0\0\x01";
            writes.write_all(begins).await.expect("the server reads");
            while writes.write_all(b"a").await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        };
        let reading = async { while reads.read(&mut [0; 100]).await.is_ok_and(|read| read > 0) {} };
        let (_ended, (), ()) = tokio::join!(serving, trickle, reading);
        let most = limits.head_timeout.max(limits.keep_alive_timeout) * 2 + PING_TIMEOUT;
        assert!(started.elapsed() <= most, "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_request_has_the_time_of_its_head() {
        let activity = Arc::new(Activity::of_http_2(None));
        let limits = Limits { keep_alive_timeout: Duration::ZERO, ..Limits::default() };
        let streams = Streams::new(&limits);
        let started = Instant::now();
        idle(&activity, &streams, &limits).await;
        assert!(started.elapsed() >= limits.head_timeout);
        // After the first request there is no such time.
        let started = Instant::now();
        drop(RequestInProgress::new(&activity));
        idle(&activity, &streams, &limits).await;
        assert!(started.elapsed() < limits.head_timeout);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_when_no_request_is_left() {
        let (activity, limits) = (Arc::new(Activity::of_http_2(None)), Limits::default());
        let streams = Streams::new(&limits);
        let idle_time = limits.keep_alive_timeout;
        let started = Instant::now();
        let request = RequestInProgress::new(&activity);
        let answering = async {
            tokio::time::sleep(idle_time * 3).await;
            drop(request);
            // Even a request that is answered at once counts.
            tokio::time::sleep(idle_time / 2).await;
            drop(RequestInProgress::new(&activity));
            // So does a response that is still taken.
            tokio::time::sleep(idle_time / 2).await;
            let rest = streams.piece(b"rest");
            tokio::time::sleep(idle_time).await;
            drop(rest);
        };
        tokio::join!(idle(&activity, &streams, &limits), answering);
        assert_eq!(started.elapsed(), idle_time * 6);
    }
}
