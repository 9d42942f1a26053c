//! Dispatch: which warp filter answers a request.
//!
//! The route table finds the filter's index. So the last of many routes is
//! reached as fast as the first, and 404, 405 and 426 come from the
//! declarations, not from the ranking of warp's rejections.
//!
//! Where several could answer, the order is: a signal (if the request is a
//! WebSocket upgrade, or asks for an event stream), a route, a mounted filter, a public file.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{ACCEPT, ALLOW, CONNECTION, HeaderValue, UPGRADE, VARY};
use http::{HeaderMap, Request, StatusCode};
use hyper::body::Body;
use pode_core::route_table::Found;
use pode_core::{Method, RouteTable};
use tower_service::Service;
use tracing::Instrument;
use warp::reply::Response;
use warp::{Filter, Reply};

use crate::app::context::Context;
use crate::app::event::{RequestHead, WebEvent, WebRequest};
use crate::base::limits::Limits;
use crate::base::log::access::{RequestLine, Stopping, method};
use crate::base::log::if_enabled;
use crate::base::log::ration::{Quoted, rationed};
use crate::base::one_line::OneLine;
use crate::base::outcome::panicked;
use crate::base::supervisor::caught;
use crate::content::public::Public;
use crate::http::activity::Activity;
use crate::http::body_timeout::TimedBody;
use crate::http::exchange::{ResponseRules, normalize};
use crate::http::origin::OriginPolicy;
use crate::http::response::{Sentence, WholeResponse, internal_error, sentence};
use crate::http::{event_stream, handshake, header};
use crate::push::engine::Engine;
use crate::signal::{Handshake, SignalRoute, post};
use crate::web::route::{RouteFilter, RoutedRequest};

/// Answers the requests of one listener.
pub(crate) struct Dispatch {
    /// Finds the filter of each signal that is served here.
    signals: RouteTable,
    /// The filters of those that have event streams.
    event_streams: BTreeSet<usize>,
    /// The filters of routes at the paths of these.
    beside_event_streams: BTreeSet<usize>,
    routes: RouteTable,
    /// The data of each route, by the index of its filter.
    info: Vec<RouteInfo>,
    /// The limits of all other filters.
    limits: Limits,
    /// The prefixes of mounted filters, as segments, and their filters.
    mounts: Vec<(Vec<String>, usize)>,
    /// The filter for requests that nothing else takes.
    leftovers: usize,
    /// Those of routes, then of signals, of mounts, and for leftovers.
    filters: Vec<RouteFilter>,
    context: Arc<Context>,
    engine: Engine,
    /// Unknown in an embedded server.
    stopping: Option<Stopping>,
}

/// What one listener serves, from which its dispatch is made.
#[derive(Default)]
pub(crate) struct Served {
    pub(crate) signals: Vec<SignalRoute>,
    /// The filters of routes, by their index in the table.
    pub(crate) routes: Vec<(RouteFilter, RouteInfo)>,
    /// The limits of everything else.
    pub(crate) limits: Limits,
    pub(crate) table: RouteTable,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) publics: Vec<Public>,
}

/// The data of a route besides its filter.
pub(crate) struct RouteInfo {
    /// The names of its path's parameters.
    pub(crate) parameters: Arc<[Arc<str>]>,
    pub(crate) limits: Limits,
    pub(crate) origins: OriginPolicy,
}

/// Why neither a signal nor a route takes a request.
#[derive(Clone, Debug)]
enum Refusal {
    NotFound,
    OtherMethod {
        allow: BTreeSet<Method>,
    },
    /// The path is a signal's, and the request is not an upgrade.
    UpgradeRequired,
    /// A page of another origin would change something.
    OtherPage,
}

impl Dispatch {
    pub(crate) fn new(
        served: Served,
        context: Arc<Context>,
        engine: Engine,
        stopping: Option<Stopping>,
    ) -> Dispatch {
        // Routes come first, so that the table's indices are those of the
        // filters.
        let (mut filters, info): (Vec<_>, Vec<_>) = served.routes.into_iter().unzip();
        let (mut signals, mut event_streams) = (RouteTable::default(), BTreeSet::new());
        let mut beside_event_streams = BTreeSet::new();
        for signal in served.signals {
            signals.insert(Method::Get, &signal.path, filters.len());
            if signal.has_event_streams() {
                event_streams.insert(filters.len());
                let beside = served.table.find(Some(Method::Get), &signal.path.to_string());
                if let Found::Route { index, .. } = beside {
                    beside_event_streams.insert(index);
                }
            }
            filters.push(signal.into_filter());
        }
        let mut mounts = Vec::new();
        for mount in served.mounts {
            mounts.push((mount.prefix, filters.len()));
            filters.push(mount.filter);
        }
        let leftovers = filters.len();
        filters.push(leftover_filter(served.publics));
        Dispatch {
            signals,
            event_streams,
            beside_event_streams,
            routes: served.table,
            info,
            limits: served.limits,
            mounts,
            leftovers,
            filters,
            context,
            engine,
            stopping,
        }
    }

    /// Answers a request. A panic on the way is logged and becomes a 500.
    pub(crate) fn answer<B>(
        self: &Arc<Self>,
        mut request: Request<B>,
        peer: Option<SocketAddr>,
        connection: Option<Arc<Activity>>,
    ) -> impl Future<Output = Result<Response, Infallible>> + Send + use<B>
    where
        B: Body + Send + Sync + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        // `Debug` forms contain no line breaks, so a request can't inject log
        // lines.
        let span = tracing::info_span!("request", method = %method(request.method()), path = ?Quoted(request.uri().path().as_bytes()));
        let line = RequestLine::begin(&request, peer, self.stopping.as_ref());
        let line = line.map(|line| (line, connection.clone()));
        let wants_page = self.context.views.is_some() && accepts_html(request.headers());
        let rules = ResponseRules::of(&request);
        normalize(&mut request);
        // What is logged there belongs to the request.
        let (index, limits) = span.in_scope(|| self.find(&mut request, peer, connection));
        let request = request.map(|body| TimedBody::new(body, limits));
        // Called here, so that the request isn't moved once more.
        let answered = caught(warp::service(self.filters[index].clone()).call(request));
        let dispatch = Arc::clone(self);
        let answer = async move {
            let Ok(response) = answered
                .await
                .unwrap_or_else(|panic| Ok(internal_error(&panicked(&panic)).into_response()));
            let mut response = rules.answered(response);
            if dispatch.beside_event_streams.contains(&index) {
                response.headers_mut().append(VARY, HeaderValue::from_static("Accept"));
            }
            let response = if wants_page { dispatch.with_error_page(response) } else { response };
            let response = rules.fit(response);
            if let Some((line, connection)) = line {
                line.end(&response, connection.is_some_and(|it| it.is_half_closed()));
            }
            Ok(response)
        };
        answer.instrument(if_enabled(span))
    }

    /// Replaces the text of an error by the view `errors/STATUS`, if there is
    /// one.
    fn with_error_page(&self, mut response: Response) -> Response {
        let Some(Sentence(text)) = response.extensions_mut().remove() else {
            return response;
        };
        let Some(views) = &self.context.views else {
            return response;
        };
        let status = response.status();
        let name = format!("errors/{}", status.as_u16());
        if !views.has(&name) {
            return response;
        }
        let variables = BTreeMap::from([("status", status.as_u16().to_string()), ("text", text)]);
        let Context { policy, positions, .. } = &*self.context;
        match views.answer_with(&name, &variables, policy, positions) {
            Ok(page) => {
                let (mut parts, _) = response.into_parts();
                let (of_page, page) = page.into_parts();
                parts.headers.extend(of_page.headers);
                http::Response::from_parts(parts, page).into_response()
            }
            Err(reason) => {
                tracing::error!("{}", OneLine(&reason));
                response
            }
        }
    }

    /// Finds the mounted filter whose prefix matches a path. Prefixes aren't
    /// nested.
    fn mounted(&self, path: &str) -> Option<usize> {
        let lies_under = |prefix: &[String]| {
            let mut segments = path.split('/').skip(1);
            prefix.iter().all(|wanted| segments.next() == Some(wanted))
        };
        let mount = self.mounts.iter().find(|(prefix, _)| lies_under(prefix));
        mount.map(|(_, index)| *index)
    }

    /// Finds the filter for a request by its index, and the limits of the
    /// request's body; adds the extensions that the filter needs.
    fn find<B>(
        &self,
        request: &mut Request<B>,
        peer: Option<SocketAddr>,
        connection: Option<Arc<Activity>>,
    ) -> (usize, &Limits) {
        let path = request.uri().path();
        let signal = || self.signals.find(Some(Method::Get), path);
        let is_upgrade = handshake::is_upgrade(request.headers());
        let (of, headers) = (request.method(), request.headers());
        let is_event_stream = !self.event_streams.is_empty()
            && (event_stream::is_asked(of, headers) || post::is_asked(of, headers));
        if (is_upgrade || is_event_stream)
            && let Found::Route { index, parameters: values } = signal()
            && (is_upgrade || self.event_streams.contains(&index))
        {
            let handshake = Handshake {
                version: request.version(),
                head: RequestHead::take(request, peer),
                values,
                context: Arc::clone(&self.context),
                engine: self.engine.clone(),
                connection,
            };
            request.extensions_mut().insert(handshake);
            return (index, &self.limits);
        }

        let method = Method::parse(request.method().as_str());
        let found = self.routes.find(method, path);
        if !matches!(found, Found::Route { .. })
            && let Some(index) = self.mounted(path)
        {
            // A mounted filter reads the request by itself.
            return (index, &self.limits);
        }
        if is_upgrade {
            rationed!(info, "no signal has this path at this endpoint, so no WebSocket opens");
        }
        let is_read = matches!(method, Some(Method::Get | Method::Head));
        let refused = |mut allow: BTreeSet<Method>| {
            let is_signal = matches!(signal(), Found::Route { .. });
            // A GET would get 426, which is an answer, too.
            allow.extend(is_signal.then_some(Method::Get));
            let refusal = if is_signal && is_read {
                Refusal::UpgradeRequired
            } else if allow.is_empty() {
                Refusal::NotFound
            } else {
                Refusal::OtherMethod { allow }
            };
            (self.leftovers, Vec::new(), Some(refusal))
        };
        let is_forged = |route: usize| {
            let origins = &self.info[route].origins;
            !matches!(method, Some(Method::Get | Method::Head | Method::Options))
                && !origins.admits_change(request.headers(), request.extensions().get())
        };
        let (index, values, refusal) = match found {
            Found::Route { index, .. } if is_forged(index) => {
                (self.leftovers, Vec::new(), Some(Refusal::OtherPage))
            }
            Found::Route { index, parameters } => (index, parameters, None),
            Found::OtherMethod { allow } => refused(allow),
            Found::Nothing => refused(BTreeSet::new()),
        };
        let (names, limits) = match self.info.get(index) {
            Some(info) => (Arc::clone(&info.parameters), &info.limits),
            None => (Arc::default(), &self.limits),
        };
        let event = WebEvent::new(WebRequest {
            head: RequestHead::take(request, peer),
            names,
            values,
            limits: limits.of_bodies(),
            context: Arc::clone(&self.context),
        });
        request.extensions_mut().insert(RoutedRequest { event, connection });
        if let Some(refusal) = refusal {
            request.extensions_mut().insert(refusal);
        }
        (index, limits)
    }
}

/// A mounted warp filter of the user, under a prefix.
#[derive(Clone)]
pub(crate) struct Mount {
    /// The segments of the prefix, as sent; none of them is a parameter.
    pub(crate) prefix: Vec<String>,
    pub(crate) filter: RouteFilter,
}

/// Whether the request comes from a browser that would show a page.
fn accepts_html(headers: &HeaderMap) -> bool {
    header::elements(headers, ACCEPT, b',').any(|kind| kind.starts_with(b"text/html"))
}

/// Makes the filter that answers with a public file, or with the error.
fn leftover_filter(publics: Vec<Public>) -> RouteFilter {
    let publics: Arc<[Public]> = publics.into();
    warp::ext::get::<RoutedRequest>()
        .and(warp::ext::get::<Refusal>())
        .then(move |RoutedRequest { event, .. }, refusal| {
            let publics = Arc::clone(&publics);
            async move {
                if matches!(refusal, Refusal::OtherPage) {
                    return refuse(&refusal).into_response();
                }
                match public_file(&publics, &event).await {
                    Some(file) if matches!(event.method().as_str(), "GET" | "HEAD") => file,
                    Some(_) => {
                        other_method(&BTreeSet::from([Method::Get, Method::Head])).into_response()
                    }
                    None => refuse(&refusal).into_response(),
                }
            }
        })
        .boxed()
}

async fn public_file(publics: &[Public], event: &WebEvent) -> Option<Response> {
    for public in publics {
        let (path, query, policy) = (event.path(), event.query(), event.policy());
        let file = public.find(path, query, event.method(), event.headers(), policy).await;
        if file.is_some() {
            return file;
        }
    }
    None
}

fn refuse(refusal: &Refusal) -> WholeResponse {
    match refusal {
        Refusal::NotFound => sentence(StatusCode::NOT_FOUND, "there is nothing at this path"),
        Refusal::OtherMethod { allow } => other_method(allow),
        Refusal::OtherPage => {
            sentence(StatusCode::FORBIDDEN, "pages of this origin may not send this here")
        }
        Refusal::UpgradeRequired => {
            let text = "this path is a signal: connect to it as a WebSocket";
            let mut response = sentence(StatusCode::UPGRADE_REQUIRED, text);
            response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
            response
        }
    }
}

/// RFC 9110, section 15.5.6: a 405 lists the allowed methods.
pub(super) fn other_method(allow: &BTreeSet<Method>) -> WholeResponse {
    let methods: Vec<&str> = allow.iter().map(|method| method.as_str()).collect();
    let methods = methods.join(", ");
    let text = format!("this path answers {methods}");
    let mut response = sentence(StatusCode::METHOD_NOT_ALLOWED, &text);
    if let Ok(methods) = HeaderValue::from_str(&methods) {
        response.headers_mut().insert(ALLOW, methods);
    }
    response
}
