//! How a client comes in: by a WebSocket or an event stream, with the position that it has
//! reached.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use percent_encoding::percent_decode_str;
use pode_core::frame::{Close, MAX_REASON_BYTES};
use pode_core::hub::Position;
use warp::Reply;

use crate::http::event_stream;
use crate::http::handshake::AcceptedHandshake;
use crate::http::response::Sentence;
use crate::http::upgraded::detach;
use crate::net::upgraded::UpgradedConnection;

/// The header with which a browser comes back to an event stream (HTML Standard, section
/// 9.2.4).
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How a client comes in.
#[derive(Clone)]
pub(super) enum Entrance {
    WebSocket(AcceptedHandshake, OnUpgrade),
    EventStream {
        /// Whether its connection leaves HTTP.
        leaves: bool,
        heartbeat: Duration,
        /// That of the page.
        origin: Option<HeaderValue>,
    },
}

impl Entrance {
    pub(super) fn is_event_stream(&self) -> bool {
        matches!(self, Entrance::EventStream { .. })
    }

    /// Returns the position from which a client wants to resume. What a browser has reached
    /// by itself counts more than what its page wrote into the address.
    pub(super) fn resumed_position(
        &self,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Option<Position> {
        let reached = self.is_event_stream().then(|| last_event(headers)).flatten();
        reached.or_else(|| resumed_position(query))
    }

    /// Makes the response that refuses a client.
    pub(super) fn refuse(&self, refusal: Response<Bytes>) -> warp::reply::Response {
        let mut refusal = refusal.into_response();
        if let Entrance::EventStream { origin, .. } = self {
            event_stream::allow(origin.as_ref(), refusal.headers_mut());
        }
        refusal
    }

    /// Makes the response, and what resolves to the connection once the client has it.
    pub(super) fn open(
        self,
        signal: &'static str,
        protocol: Option<&str>,
    ) -> (warp::reply::Response, BoxFuture<'static, Option<UpgradedConnection>>) {
        match self {
            Entrance::WebSocket(accepted, upgrade) => {
                (accepted.response(protocol).into_response(), opening(signal, upgrade).boxed())
            }
            Entrance::EventStream { leaves, heartbeat, origin } => {
                let (response, opening) = event_stream::begin(origin.as_ref(), leaves);
                let opening = opening.inspect(move |connection| {
                    if let Some(connection) = connection {
                        connection.end_unless_taken_in(2 * heartbeat);
                    }
                });
                (response, opening.boxed())
            }
        }
    }
}

/// Whether a client may be let in later that is refused with this status.
pub(super) fn is_temporary(status: StatusCode) -> bool {
    status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS]
            .contains(&status)
}

/// Returns what resolves to the connection once the client has its response.
async fn opening(signal: &'static str, upgrade: OnUpgrade) -> Option<UpgradedConnection> {
    let left = |error: &_| tracing::debug!(signal, %error, "a client left in the handshake");
    upgrade.await.inspect_err(left).ok().map(detach)
}

/// Returns the close frame that says what a refusal says: its code is the status and
/// 4000.
pub(super) fn close_of(refusal: &Response<Bytes>) -> Option<Close> {
    let text = refusal.extensions().get().map_or("", |Sentence(text)| text);
    let most = text.len().min(MAX_REASON_BYTES);
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    Close::own(4000 + refusal.status().as_u16(), text[..end].to_owned()).ok()
}

/// Returns the position that a browser has reached in an event stream.
fn last_event(headers: &HeaderMap) -> Option<Position> {
    headers.get(LAST_EVENT_ID)?.to_str().ok()?.parse().ok()
}

/// Returns the position from which a client wants to resume. A parameter of this
/// name with a value of another form is the user's own.
fn resumed_position(query: Option<&str>) -> Option<Position> {
    let decoded = |text| percent_decode_str(text).decode_utf8().ok();
    let fields = query?.split('&').filter_map(|field| field.split_once('='));
    fields
        .filter(|(name, _)| decoded(name).is_some_and(|name| name == "resume"))
        .find_map(|(_, value)| decoded(value)?.parse().ok())
}
