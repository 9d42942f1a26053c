//! From a handshake to a client of the engine: which clients are admitted, and
//! with which id.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{HeaderValue, ORIGIN};
use http::{HeaderName, Response, StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use pode_core::{ClientId, SendError};
use serde_json::{Map, Value};
use warp::Reply;

use super::Signal;
use super::entrance::{Entrance, close_of, is_temporary};
use super::route::{Handshake, SignalRoute, TICKET};
use crate::app::context::Context;
use crate::app::event::{
    CLIENT_ID, ClientInfo, ConnectDecision, ConnectRequest, RequestHead, SignalClient,
    offered_protocols,
};
use crate::app::presence::Attendance;
use crate::app::sequences::{Heard, Hold, SequenceId};
use crate::app::tickets::Ticket;
use crate::app::uncancelled::Uncancelled;
use crate::base::log::ration::rationed;
use crate::base::one_line::OneLine;
use crate::base::outcome::{Failed, caught};
use crate::http::event_stream;
use crate::http::handshake::{HandshakeError, accept};
use crate::http::response::sentence;
use crate::net::connection_limit::{LimitReached, SharedPermit};
use crate::push::engine::{
    Form, Groups, Hello, MAX_GROUP_BYTES, MAX_GROUPS, NewSubscriber, Speaks, V1_PROTOCOL,
};
use crate::push::session::Session;
use crate::signal::options::SignalOptions;
use crate::signal::session::ClientSession;

/// The header that tells a client the path that it is connected to.
const NAME: HeaderName = HeaderName::from_static("x-pode-signal-name");

/// The header that tells a client its initial groups.
const GROUP: HeaderName = HeaderName::from_static("x-pode-signal-group");

/// The header that tells a client its position, if its signal keeps messages.
const POSITION: HeaderName = HeaderName::from_static("x-pode-signal-position");

/// What a client offers as a subprotocol begins with this, if it is a ticket.
const TICKET_PREFIX: &str = "pode.ticket.";

/// How long the header with a client's groups may be: many clients and proxies
/// take no more than 8 KiB of headers.
const MAX_GROUP_HEADER_BYTES: usize = 2048;

impl SignalRoute {
    /// Answers a handshake. A connect handler that has started runs to its end
    /// even if the client disconnects meanwhile: if it admitted the client, the
    /// disconnect is reported then.
    pub(super) async fn answer(
        self: Arc<Self>,
        handshake: Handshake,
        upgrade: Option<OnUpgrade>,
    ) -> warp::reply::Response {
        let entrance = match self.check(&handshake, upgrade) {
            Ok(entrance) => entrance,
            Err(error) => return error.response().into_response(),
        };
        if self.signal.handlers.connect.is_none() {
            return self.let_in_or_refuse(handshake, entrance).await;
        }
        let (context, connection) = (Arc::clone(&handshake.context), handshake.connection.clone());
        let answered = async move { self.let_in_or_refuse(handshake, entrance).await };
        Uncancelled::new(answered.boxed(), context, connection).await
    }

    /// Checks a handshake by itself.
    fn check(
        &self,
        handshake: &Handshake,
        upgrade: Option<OnUpgrade>,
    ) -> Result<Entrance, HandshakeError> {
        let Handshake { version, connection, .. } = handshake;
        let RequestHead { method, headers, forwarded, .. } = &handshake.head;
        let is_event_stream = event_stream::is_asked(method, headers);
        let accepted = (!is_event_stream).then(|| accept(method, *version, headers)).transpose()?;
        if !self.origins.admits(headers, forwarded.as_ref()) {
            return Err(HandshakeError::Origin);
        }
        Ok(match accepted {
            // Embedded in another warp server, the version isn't known; but only
            // HTTP/1.1 has an upgrade.
            Some(accepted) => {
                Entrance::WebSocket(accepted, upgrade.ok_or(HandshakeError::HttpVersion)?)
            }
            None => Entrance::EventStream {
                leaves: connection.is_some() && *version != Version::HTTP_2,
                heartbeat: self.signal.options.heartbeat,
                origin: headers.get(ORIGIN).cloned(),
            },
        })
    }

    /// Admits a client, or refuses it: one that speaks `pode.v1` by a close frame, as
    /// browsers show no status of a failed handshake; one that may come back for an event
    /// stream by a close event, as they come back from nothing but one that has begun.
    async fn let_in_or_refuse(
        &self,
        handshake: Handshake,
        entrance: Entrance,
    ) -> warp::reply::Response {
        let speaks_v1 = self.speaks_v1(&handshake.head);
        let engine = handshake.engine.clone();
        let refusal = match self.let_in(handshake, entrance.clone()).await {
            Ok(response) => return response,
            Err(refusal) => refusal,
        };
        let (speaks, is_told) = match entrance {
            Entrance::WebSocket(..) => (Speaks::V1, speaks_v1),
            Entrance::EventStream { .. } => (Speaks::Events, is_temporary(refusal.status())),
        };
        let Some(close) = close_of(&refusal).filter(|_| is_told) else {
            return entrance.refuse(refusal);
        };
        let signal = self.signal.path;
        let new_subscriber = NewSubscriber {
            id: ClientId::new(),
            path: None,
            groups: Groups::default(),
            speaks,
            greeting: Vec::new(),
            session: None,
            permit: None,
            refusal: Some(close),
        };
        let (response, opening) = entrance.open(signal, Some(V1_PROTOCOL));
        match engine.subscribe(signal, new_subscriber, opening).await {
            Some(_) => response,
            None => refusal.into_response(),
        }
    }

    /// Whether a client speaks `pode.v1` with this signal.
    fn speaks_v1(&self, head: &RequestHead) -> bool {
        self.signal.is_json && offered_protocols(head).any(|name| name == V1_PROTOCOL)
    }

    /// Admits a client, or returns the refusal.
    async fn let_in(
        &self,
        handshake: Handshake,
        entrance: Entrance,
    ) -> Result<warp::reply::Response, Response<Bytes>> {
        let Handshake { head, values, context, engine, .. } = handshake;
        let peer = head.peer;
        let Signal { path: signal, limit, handlers, options, .. } = &self.signal;
        let signal = *signal;
        let (parameters, path) = self.read_path(&values)?.unzip();
        let clients = context.signals.clients_at(signal, path.clone());
        let is_event_stream = entrance.is_event_stream();
        let since = entrance.resumed_position(head.uri.query(), &head.headers);
        if let (Some(since), Ok(channel)) =
            (since, context.signals.channel(signal, path.as_deref()))
            && !context.catch_up.reaches(channel, since).await
        {
            return Err(HandshakeError::Behind.response());
        }
        let request = Arc::new(ConnectRequest {
            parameters: parameters.clone(),
            signal,
            path: path.clone(),
            head,
            context: Arc::clone(&context),
            decision: Mutex::new(ConnectDecision::of(ClientId::new())),
        });
        let speaks_v1 = is_event_stream || self.speaks_v1(&request.head);
        let offered = match is_event_stream {
            true => request.head.headers.get(TICKET).and_then(|given| given.to_str().ok()),
            false => speaks_v1.then(|| offered_ticket(&request.head)).flatten(),
        };
        let ticket = offered.and_then(|given| {
            context.tickets.take_back(given, &request.holder(), SystemTime::now())
        });
        let address = peer.map(|peer| peer.ip());
        let refused = |full: LimitReached| {
            tracing::debug!(signal, ?address, ?full, "a client is refused by a limit");
            HandshakeError::from(full).response()
        };
        let (permit, full) = match limit.as_ref().map(|limit| limit.enter(address)).transpose() {
            Ok(permit) => (permit.map(SharedPermit::new), None),
            Err(full) => {
                // Its own connection may be lost, and still count.
                let shared = match &ticket {
                    Some(ticket) => clients.share_permit(&ticket.id).await,
                    None => None,
                };
                let shared = shared.ok_or_else(|| refused(full))?;
                shared.count_for(address).map_err(refused)?;
                (Some(shared), Some(full))
            }
        };
        if let Some(Ticket { id, is_set: false, .. }) = &ticket {
            request.decision().id = id.clone();
        }
        let own_id = request.decision().id.clone();
        self.ask(&request).await?;

        let proof = request.signed_id();
        // A clone of the event may still exist: calls on it come too late.
        let ConnectDecision { id, groups, greeting, state, protocol, info } =
            request.decision().take();
        let ticket = ticket.filter(|ticket| ticket.id == id);
        if let (None, Some(full)) = (&ticket, full) {
            // It takes no other's place.
            return Err(refused(full));
        }
        let is_set = id != own_id;
        let (form, protocol) = match (is_event_stream, speaks_v1) {
            (true, _) => (Form::Events, None),
            (false, true) => (Form::V1, Some(V1_PROTOCOL.to_owned())),
            (false, false) => (Form::Plain, protocol),
        };
        let speaks = Speaks::new(form, is_set);
        if !groups.are_allowed() {
            let text = format!(
                "a client joins at most {MAX_GROUPS} groups with names of {MAX_GROUP_BYTES} bytes"
            );
            rationed!(warn, signal, "a client is refused: {text}");
            return Err(sentence(StatusCode::BAD_REQUEST, &text));
        }
        if protocol.is_none() && request.protocols().next().is_some() {
            // Not which: pages send their secrets there, as they can't set headers.
            rationed!(
                info,
                signal,
                "no subprotocol is chosen of those that a client offers, and some browsers \
                 disconnect then (1006): call `choose_protocol` in the handler of `on connect`, \
                 or offer none in the page"
            );
        }
        let (mut response, opening) = entrance.open(signal, protocol.as_deref());
        let header = |value: &str| HeaderValue::from_str(value).ok();
        let its_path = path.as_deref().unwrap_or(signal);
        let joined = groups.as_slice().join(",");
        let told = [
            (CLIENT_ID, header(&proof)),
            (NAME, header(its_path)),
            (
                GROUP,
                header(&joined)
                    .filter(|joined| (1..=MAX_GROUP_HEADER_BYTES).contains(&joined.len())),
            ),
        ];
        for (name, value) in told {
            if let Some(value) = value {
                response.headers_mut().insert(name, value);
            }
        }

        let sequence = ticket.map(|ticket| ticket.sequence);
        let numbers = match speaks_v1 && handlers.receives() {
            true => Some(Numbers::of(&context, options, sequence).await),
            false => None,
        };
        let hello = speaks_v1.then(|| {
            let sequence = numbers.as_ref().map(|numbers| numbers.hold.id).unwrap_or_default();
            let ticket = Ticket { id: id.clone(), is_set, sequence };
            let ticket = context.tickets.give_out(&ticket, &request.holder(), SystemTime::now());
            let mut members = hello(&proof, ticket, numbers.as_ref(), offered.is_some(), options);
            if options.presence > 0 {
                members += &format!(r#","me":{}"#, Value::from(id.to_string()));
            }
            Hello { members, sequence: numbers.as_ref().map(|numbers| numbers.hold.id.bytes()) }
        });
        let hold = numbers.map(|numbers| numbers.hold);
        let mut permit = permit;
        // What a client that clients are told of does later, only handlers of its messages do.
        let is_told = info.is_some() || options.presence > 0 && handlers.receives();
        let attendance = is_told.then(|| {
            let (signals, may_return) = (context.signals.clone(), speaks_v1 || is_set);
            Arc::new(Attendance::new(signals, signal, path.clone(), id.clone(), may_return))
        });
        if let (Some(attendance), Some(info)) = (&attendance, info) {
            attendance.begin(info).await.map_err(|error| not_admitted(signal, &error))?;
        }
        // From here on, it ends the attendance.
        let session = (handlers.needs_session() || attendance.is_some()).then(|| {
            let info = ClientInfo {
                id: id.clone(),
                signal,
                path: path.clone(),
                parameters,
                peer,
                state,
                context: Arc::clone(&context),
                attendance,
            };
            let client = SignalClient::new(info);
            let handlers = Arc::clone(handlers);
            let (permit, per_second) = (permit.take(), options.messages_per_second);
            let session = ClientSession::new(client, is_set, handlers, per_second, hold, permit);
            Box::new(session) as Box<dyn Session>
        });
        let new_subscriber = NewSubscriber {
            id: id.clone(),
            path,
            groups,
            speaks,
            greeting,
            session,
            permit,
            refusal: None,
        };
        let Some(arrival) = engine.subscribe(signal, new_subscriber, opening).await else {
            return Err(HandshakeError::Stopping.response());
        };
        let admitted = clients.admit(id, arrival, since, hello).await;
        let position = admitted.map_err(|error| not_admitted(signal, &error))?;
        if let Some(position) = position.and_then(|position| header(&position.to_string())) {
            response.headers_mut().insert(POSITION, position);
        }
        Ok(response)
    }

    /// Asks the connect handler whether to admit the client.
    async fn ask(&self, request: &Arc<ConnectRequest>) -> Result<(), Response<Bytes>> {
        let Some(connect) = &self.signal.handlers.connect else { return Ok(()) };
        let asked = caught(async { connect(Arc::clone(request)).await }).await;
        asked.map_err(|failed| match failed {
            Failed::Answer(error) => sentence(error.status(), &error.to_string()),
            Failed::Reason(reason) => {
                tracing::error!(
                    signal = self.signal.path,
                    "the handler of `on connect` failed: {}",
                    OneLine(&reason)
                );
                let text = "the server could not admit this client";
                sentence(StatusCode::INTERNAL_SERVER_ERROR, text)
            }
        })
    }
}

/// Returns the refusal of a client that the engine doesn't take in time.
fn not_admitted(signal: &str, error: &SendError) -> Response<Bytes> {
    tracing::warn!(signal, %error, "a client can't be admitted");
    match error {
        SendError::Full { .. } => HandshakeError::Busy.response(),
        _ => HandshakeError::Stopping.response(),
    }
}

/// Returns the ticket that a client offers.
fn offered_ticket(head: &RequestHead) -> Option<&str> {
    offered_protocols(head).find_map(|name| name.strip_prefix(TICKET_PREFIX))
}

/// Where the numbered messages of a client go on.
struct Numbers {
    hold: Hold,
    heard: Heard,
    /// Whether the server knows those that came before.
    are_known: bool,
}

impl Numbers {
    /// Claims a sequence, or begins a new one.
    async fn of(
        context: &Context,
        options: &SignalOptions,
        sequence: Option<SequenceId>,
    ) -> Numbers {
        let kept_seconds = options.history_age.as_secs().try_into().unwrap_or(u32::MAX);
        if let Some(sequence) = sequence.filter(|sequence| *sequence != SequenceId::default())
            && let Some((hold, heard)) = context.sequences.claim(sequence, kept_seconds).await
        {
            return Numbers { hold, heard, are_known: true };
        }
        let hold = context.sequences.begin(kept_seconds);
        Numbers { hold, heard: Heard::default(), are_known: false }
    }
}

/// Returns the members of the hello to a client of `pode.v1` that have nothing to do
/// with positions.
fn hello(
    signed_id: &str,
    ticket: String,
    numbers: Option<&Numbers>,
    has_ticket: bool,
    options: &SignalOptions,
) -> String {
    let mut members =
        Map::from_iter([("id".to_owned(), signed_id.into()), ("ticket".to_owned(), ticket.into())]);
    let beat = options.heartbeat.as_secs();
    if beat > 0 {
        members.insert("beat".to_owned(), beat.into());
    }
    if let Some(Numbers { heard, are_known, .. }) = numbers {
        members.insert("heard".to_owned(), heard.number.into());
        if let Some(number) = heard.handling {
            members.insert("handling".to_owned(), number.into());
        }
        if has_ticket {
            members.insert("known".to_owned(), (*are_known).into());
        }
        members.insert("max".to_owned(), options.max_message_bytes.into());
        if options.messages_per_second > 0 {
            members.insert("rate".to_owned(), options.messages_per_second.into());
        }
    }
    let object = Value::from(members).to_string();
    object[1..object.len() - 1].to_owned()
}

impl From<LimitReached> for HandshakeError {
    fn from(full: LimitReached) -> HandshakeError {
        match full {
            LimitReached::All => HandshakeError::Full,
            LimitReached::Address => HandshakeError::FullForAddress,
        }
    }
}
