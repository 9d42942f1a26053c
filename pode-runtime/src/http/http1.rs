//! HTTP/1, whose requests come one after the other.

use std::convert::Infallible;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryFutureExt;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, interval_at};
use warp::reply::Response;

use crate::base::limits::Limits;
use crate::http::activity::{Activity, RequestBody, tracked};
use crate::http::event_stream;
use crate::http::timeout_stream::{TimeoutStream, Transport};
use crate::net::connection_limit::ConnectionPermit;
use crate::net::shutdown::LastRequest;

/// How many bytes hyper may hold of what it reads, and of what a client doesn't
/// take.
const BUFFER_BYTES: usize = 64 << 10;

/// Serves the HTTP/1 requests of one connection.
pub(crate) async fn serve<T, S, F>(
    stream: T,
    permit: Option<ConnectionPermit>,
    limits: &Limits,
    service: S,
    last: impl Into<LastRequest>,
) -> hyper::Result<()>
where
    T: Transport,
    S: Fn(Request<RequestBody<Incoming>>) -> F,
    F: Future<Output = Result<Response, Infallible>> + Send + 'static,
{
    let activity = Arc::new(Activity::of_http_1(permit));
    let stream = TimeoutStream::http_1(stream, &activity, limits);
    let its_activity = Arc::clone(&activity);
    let mut last = last.into();
    let told = last.clone();
    let service = service_fn(move |request| {
        // hyper would add it only from the next poll on, when this may be answered.
        let is_last = told.is_told();
        let activity = Arc::clone(&its_activity);
        tracked(&service, request, &its_activity).and_then(async move |mut response| {
            if let Some(leaving) = event_stream::Leaving::of(&mut response) {
                leaving.depart(&response, &activity);
                // hyper is dropped when the connection has left it.
                return pending().await;
            }
            if is_last && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response)
        })
    });
    let mut builder = http1::Builder::new();
    // The stream limits the time for heads, since it can tell the wait for a
    // head from the wait for its end.
    builder
        .header_read_timeout(None)
        .max_header_size(limits.max_head_bytes)
        .max_buf_size(limits.max_head_bytes.max(BUFFER_BYTES));
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = pin!(connection);
    let look_every = limits.write_timeout.max(Duration::from_millis(100));
    let mut looks = interval_at(Instant::now() + look_every, look_every);
    let mut last = pin!(async {
        last.told(activity.first_request()).await;
        // From then on hyper adds `close` to the header `Connection`, which not
        // every client accepts as an upgrade.
        activity.no_handshake().await;
    });
    let mut departed = pin!(activity.departed());
    let mut is_ending = false;
    // First the connection, so that bytes that have arrived are read: hyper
    // ends a connection from which nothing was read.
    loop {
        tokio::select! {
            biased;
            result = connection.as_mut() => return result,
            () = departed.as_mut() => return Ok(()),
            () = last.as_mut(), if !is_ending => {
                is_ending = true;
                activity.stop();
                connection.as_mut().graceful_shutdown();
            }
            // Wakes this task, so that hyper writes what there is.
            _ = looks.tick() => activity.look_after(),
        }
    }
}
