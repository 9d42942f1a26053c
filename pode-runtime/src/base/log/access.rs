//! The lines that tell of each request and each WebSocket, with the target
//! [`TARGET`], by which they can be turned off or chosen.
//!
//! They are rationed: a busy server would spend its time and its disk on them.
//! What is left out costs no memory.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Body;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Level;
use tracing::field::display;

use super::ration::{Quoted, Ration};
use crate::base::supervisor::unwinding_stops_here;

const TARGET: &str = "pode::access";

/// Logs a line of this kind. It stands by itself, outside of all spans.
macro_rules! access {
    ($($line:tt)*) => {
        tracing::info!(target: TARGET, parent: None, $($line)*)
    };
}

/// Returns whether a line of this kind is wanted and may be written. The next one
/// says how many are missing.
fn may_tell() -> bool {
    static RATION: Ration = Ration::of_traffic();
    if !tracing::enabled!(target: TARGET, Level::INFO) {
        return false;
    }
    let Some(missing) = RATION.take() else { return false };
    if missing > 0 {
        access!("{missing} requests and WebSockets are left out here");
    }
    true
}

/// The deadline of a stop, as all parts of a server learn it.
pub(crate) type Stopping = watch::Receiver<Option<Instant>>;

/// The line of one request, written when there is its response; or when it is
/// dropped, as the client has gone before, or the server cuts it off.
#[derive(Debug)]
pub(crate) struct RequestLine {
    /// Its method and its path, the latter in Debug form.
    what: String,
    client: Option<SocketAddr>,
    begun: Instant,
    /// Unknown in an embedded server.
    stopping: Option<Stopping>,
    is_done: bool,
}

impl RequestLine {
    /// Begins the line of a request, if there is to be one.
    pub(crate) fn begin<B>(
        request: &Request<B>,
        client: Option<SocketAddr>,
        stopping: Option<&Stopping>,
    ) -> Option<Box<RequestLine>> {
        may_tell().then(|| {
            let path = Quoted(request.uri().path().as_bytes());
            let what = format!("{} {path:?}", method(request.method()));
            let (begun, stopping) = (Instant::now(), stopping.cloned());
            Box::new(RequestLine { what, client, begun, stopping, is_done: false })
        })
    }

    /// Writes it; `has_ended` says whether the client has ended its side, after which
    /// it may still read.
    pub(crate) fn end(mut self, response: &Response<impl Body>, has_ended: bool) {
        self.is_done = true;
        let RequestLine { what, client, begun, .. } = &self;
        let (client, time) = (client.map(display), shown(begun.elapsed()));
        let bytes = response.body().size_hint().exact().or_else(|| declared_bytes(response));
        match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => access!(client, "{what} opens a WebSocket"),
            status => {
                let doubt = if has_ended { " (its client may have gone)" } else { "" };
                access!(bytes, time, client, "{what} {}{doubt}", status.as_u16());
            }
        }
    }
}

/// Returns the length that its head gives to a body which is made piece by piece.
fn declared_bytes<B>(response: &Response<B>) -> Option<u64> {
    response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Drop for RequestLine {
    fn drop(&mut self) {
        if !self.is_done {
            let (client, time) = (self.client.map(display), shown(self.begun.elapsed()));
            let why = why_unanswered(self.stopping.as_ref());
            unwinding_stops_here(|| access!(time, client, "{} has no answer: {why}", self.what));
        }
    }
}

/// Returns why a request that is dropped now has no answer. A server that was dropped
/// has no deadline, and waits no longer, either.
fn why_unanswered(stopping: Option<&Stopping>) -> &'static str {
    let is_over = |deadline| Instant::now() >= deadline;
    match stopping {
        None => "its client has gone, or the server has stopped",
        Some(it) if it.has_changed().is_err() || it.borrow().is_some_and(is_over) => {
            "the server has stopped"
        }
        Some(_) => "its client has gone",
    }
}

/// Returns a method as a line shows it: a client may make up a long one, but none
/// with spaces.
pub(crate) fn method(method: &Method) -> &str {
    match method.as_str() {
        known if known.len() <= 20 => known,
        _ => "(a long method)",
    }
}

/// The time of one WebSocket, in a fraction of the memory of an [`Instant`]: there
/// are many of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpeningTime {
    /// Tenths of a second since this process looked for the first time.
    at: u32,
}

impl OpeningTime {
    pub(crate) fn now() -> OpeningTime {
        static FIRST: OnceLock<Instant> = OnceLock::new();
        let since = FIRST.get_or_init(Instant::now).elapsed();
        OpeningTime { at: (since.as_millis() / 100).try_into().unwrap_or(u32::MAX) }
    }

    /// Whether in the last `recent` since then, a whole number of periods was over.
    pub(crate) fn has_come_round(self, period: Duration, recent: Duration) -> bool {
        let tenths = |time: Duration| (time.as_millis() / 100).max(1);
        let age = u128::from(OpeningTime::now().at.saturating_sub(self.at));
        age / tenths(period) > age.saturating_sub(tenths(recent)) / tenths(period)
    }

    /// Logs the end of a WebSocket at this path, and why it ended.
    pub(crate) fn tell_end(self, path: &str, code: Option<u16>, why: &str) {
        // May be called by a destructor.
        unwinding_stops_here(|| {
            if may_tell() {
                let path = Quoted(path.as_bytes());
                let tenths = OpeningTime::now().at.saturating_sub(self.at);
                let time = display(format!("{:.1}s", f64::from(tenths) / 10.0));
                access!(code, time, "WebSocket {path:?} is closed: {why}");
            }
        });
    }
}

fn shown(time: Duration) -> tracing::field::DisplayValue<String> {
    display(format!("{time:.1?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::log::Collected;

    fn request(method: &str, path: &str) -> Request<()> {
        Request::builder().method(method).uri(path).body(()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_server_tells_of_some_requests() {
        // Nothing is made of a line that nobody wants. (And nobody else asks first,
        // so that the answer is known for this thread.)
        assert!(RequestLine::begin(&request("GET", "/"), None, None).is_none());
        let (log, _guard) = Collected::begin();
        for _ in 0..5000 {
            if let Some(line) = RequestLine::begin(&request("GET", "/a\u{22}"), None, None) {
                line.end(&Response::new("hello".to_owned()), false);
            }
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        let (_stop, stopping) = watch::channel(None);
        let slow = request(&"X".repeat(99), "/slow");
        drop(RequestLine::begin(&slow, "[::1]:9".parse().ok(), Some(&stopping)));
        let lines: Vec<_> = log.text().lines().map(str::to_owned).collect();
        // Other tests take from the same ration.
        assert!((10..=1002).contains(&lines.len()), "{}", lines.len());
        assert_eq!(lines[0].trim_start(), r#"INFO GET "/a\"" 200 bytes=5 time=0.0ns"#);
        let [.., missing, last] = &lines[..] else { panic!("{lines:?}") };
        assert!(missing.ends_with(" requests and WebSockets are left out here"), "{missing}");
        assert!(
            last.contains(r#"(a long method) "/slow" has no answer: its client has gone"#),
            "{last}"
        );
        assert!(last.ends_with("client=[::1]:9"), "{last}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_a_stop_cuts_off_is_not_told_as_left_by_its_client() {
        let (stop, stopping) = watch::channel(None);
        let dropped = stopping.clone();
        let why = || why_unanswered(Some(&stopping));
        assert_eq!(why(), "its client has gone");
        stop.send_replace(Some(Instant::now() + Duration::from_secs(1)));
        assert_eq!(why(), "its client has gone");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(why(), "the server has stopped");
        stop.send_replace(None);
        drop(stop);
        assert_eq!(why_unanswered(Some(&dropped)), "the server has stopped");
    }
}
