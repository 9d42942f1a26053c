//! Operations: whether this process works, and whether it may get clients now, for
//! those who restart processes and spread clients over them.
//!
//! They are answered before anything of the user's is, whatever host a request names:
//! who asks for them knows an address only. While the server stops, the endpoint's
//! usual connections end like all others; from then on, new ones get these answers alone.

use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{CACHE_CONTROL, HeaderValue};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use pode_core::route_table::Found;
use pode_core::{Method, RouteTable};
use tokio::sync::watch;
use tokio::time::Instant;
use warp::Reply;
use warp::reply::Response;

use crate::app::readiness::{Readiness, Unready};
use crate::base::log::access::RequestLine;
use crate::http::activity::RequestBody;
use crate::http::exchange::ResponseRules;
use crate::http::request_smuggling;
use crate::http::response::sentence;
use crate::http::serve::{ServeOptions, serve};
use crate::net::listen::Listener;
use crate::net::shutdown::told_to_stop;
use crate::net::tls::config::Tls;
use crate::server::dispatch::other_method;

const LIVE: usize = 0;
const READY: usize = 1;

/// Answers for one listener.
pub(crate) struct Operations {
    paths: RouteTable,
    readiness: Arc<Readiness>,
}

impl Operations {
    pub(crate) fn new(readiness: &Arc<Readiness>) -> Operations {
        let mut paths = RouteTable::default();
        for (path, index) in [("/_pode/live", LIVE), ("/_pode/ready", READY)] {
            let path = path.parse().expect("it is a path");
            paths.insert(Method::Get, &path, index);
        }
        Operations { paths, readiness: Arc::clone(readiness) }
    }

    /// Returns the answer to a request for one of the paths.
    pub(crate) fn answer<B>(&self, request: &Request<B>) -> Option<Response> {
        let method = Method::parse(request.method().as_str());
        let mut answer = match self.paths.find(method, request.uri().path()) {
            Found::Route { index: LIVE, .. } => {
                // It still works while it stops.
                let failed = Some(Unready::Failed);
                condition("live", failed.filter(|it| self.readiness.has(*it)))
            }
            Found::Route { .. } => condition("ready", self.readiness.unready()),
            Found::OtherMethod { allow } => other_method(&allow).into_response(),
            Found::Nothing => return None,
        };
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Some(ResponseRules::of(request).fit(answer))
    }

    /// Serves a listener from when the server stops. Never returns: the server is
    /// asked about until it is gone.
    pub(crate) async fn serve_last(
        self: Arc<Self>,
        listener: Listener,
        tls: Option<Tls>,
        rules: ServeOptions,
        mut stopping: watch::Receiver<Option<Instant>>,
    ) {
        told_to_stop(&mut stopping).await;
        let answer = move |request: Request<RequestBody<Incoming>>, peer: SocketAddr| {
            let stopping = || {
                let text = "the server is stopping";
                let stopping = sentence(StatusCode::SERVICE_UNAVAILABLE, text).into_response();
                ResponseRules::of(&request).fit(stopping)
            };
            let answer = request_smuggling::refused(&request)
                .or_else(|| self.answer(&request))
                .unwrap_or_else(stopping);
            if let Some(line) = RequestLine::begin(&request, Some(peer), None) {
                line.end(&answer, false);
            }
            ready(Ok::<_, Infallible>(answer))
        };
        let never = watch::Sender::new(None);
        serve(listener, tls, rules, answer, never.subscribe()).await;
    }
}

/// Says that the server is in this condition, or why it isn't.
fn condition(wanted: &str, unready: Option<Unready>) -> Response {
    let (status, text) = match unready {
        None => (StatusCode::OK, wanted),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason.words()),
    };
    sentence(status, text).into_response()
}
