//! Messages by `POST`, of clients that hear an event stream: each is handled as if it had
//! come by a WebSocket, and answered in the stream.

use std::time::SystemTime;

use bytes::{Buf, Bytes};
use futures_util::{Stream, TryStreamExt};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN,
};
use http::{Method, Response, StatusCode};

use super::route::{Handshake, SignalRoute, TICKET};
use crate::app::client_ids::Holder;
use crate::app::event::RequestHead;
use crate::http::event_stream;
use crate::http::handshake::HandshakeError;
use crate::http::response::{empty, sentence};
use crate::push::engine::PostOutcome;

/// What an object of `pode.v1` has around a message.
const WRAPPING_BYTES: usize = 100;

/// Returns whether a request is a message of a client that hears an event stream, or a
/// browser asks whether a page of another origin may send one.
pub(crate) fn is_asked(method: &Method, headers: &HeaderMap) -> bool {
    match *method {
        Method::POST => headers.contains_key(TICKET),
        Method::OPTIONS => headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD),
        _ => false,
    }
}

impl SignalRoute {
    /// Answers such a request.
    pub(super) async fn post<B: Buf>(
        &self,
        handshake: Handshake,
        body: impl Stream<Item = Result<B, warp::Error>> + Send,
    ) -> Response<Bytes> {
        let RequestHead { headers, forwarded, .. } = &handshake.head;
        if !self.origins.admits(headers, forwarded.as_ref()) {
            return HandshakeError::Origin.response();
        }
        let origin = headers.get(ORIGIN).cloned();
        let mut response = match handshake.head.method {
            Method::OPTIONS => allowance(),
            _ => self.pass_on(handshake, body).await,
        };
        event_stream::allow(origin.as_ref(), response.headers_mut());
        response
    }

    /// Passes a message on to its client.
    async fn pass_on<B: Buf>(
        &self,
        Handshake { head, values, context, .. }: Handshake,
        body: impl Stream<Item = Result<B, warp::Error>> + Send,
    ) -> Response<Bytes> {
        let signal = self.signal.path;
        if !self.signal.handlers.receives() {
            return sentence(StatusCode::METHOD_NOT_ALLOWED, "clients only listen here");
        }
        let path = match self.read_path(&values) {
            Ok(read) => read.map(|(_, path)| path),
            Err(refusal) => return refusal,
        };
        let holder = Holder {
            signal,
            path: path.as_deref(),
            headers: Some(&head.headers),
            address: head.peer.map(|peer| peer.ip()),
        };
        let given = head.headers.get(TICKET).and_then(|ticket| ticket.to_str().ok());
        let ticket =
            given.and_then(|given| context.tickets.take_back(given, &holder, SystemTime::now()));
        let Some(ticket) = ticket else {
            return sentence(StatusCode::UNAUTHORIZED, "this isn't a ticket of this path");
        };
        let most = self.signal.options.max_message_bytes.saturating_add(WRAPPING_BYTES);
        let read = body.try_fold(Some(Vec::new()), async |read, mut part| {
            let bytes = part.copy_to_bytes(part.remaining());
            Ok(read.filter(|read: &Vec<u8>| read.len() + bytes.len() <= most).map(|mut read| {
                read.extend_from_slice(&bytes);
                read
            }))
        });
        let text = match read.await {
            Ok(Some(bytes)) => String::from_utf8(bytes).ok(),
            Ok(None) => {
                let text = format!("a message has at most {most} bytes");
                return sentence(StatusCode::PAYLOAD_TOO_LARGE, &text);
            }
            Err(_) => None,
        };
        let Some(text) = text else {
            return sentence(StatusCode::BAD_REQUEST, "a message is JSON in UTF-8");
        };
        let clients = context.signals.clients_at(signal, path);
        match clients.receive(&ticket.id, ticket.sequence.bytes(), text).await {
            Some(PostOutcome::Taken) => empty(StatusCode::ACCEPTED),
            Some(PostOutcome::Full) => {
                sentence(StatusCode::SERVICE_UNAVAILABLE, "earlier messages are being handled")
            }
            None => sentence(StatusCode::GONE, "this client hears no event stream here"),
        }
    }
}

/// Tells a browser what a page of another origin may send.
fn allowance() -> Response<Bytes> {
    let mut response = empty(StatusCode::NO_CONTENT);
    let allowed = [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "content-type, last-event-id, x-pode-ticket"),
        (ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    let allowed = allowed.map(|(name, value)| (name, HeaderValue::from_static(value)));
    response.headers_mut().extend(allowed);
    response
}
