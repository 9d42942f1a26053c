//! A declared server embedded in another: as a warp filter, or as a tower
//! service.
//!
//! No address is bound then; requests come from the surrounding application.
//! The declared endpoints still decide what is served: what the first endpoint
//! for pages and the first for signals would serve.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::StreamExt;
use http::header::{HOST, HeaderValue};
use http::uri::Authority;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::StreamBody;
use hyper::body::{Body, Frame, SizeHint};
use hyper::upgrade::OnUpgrade;
use tokio::task::JoinSet;
use warp::Filter;
use warp::path::Tail;
use warp::reply::Response;

use crate::base::debug_form::debug_form;
use crate::http::exchange::ResponseRules;
use crate::http::response::sentence;
use crate::server::start::{Embedded, Server};
use crate::web::route::{RouteFilter, whole_chunk};

impl Server {
    /// Makes a warp filter of the server, for an application built with warp.
    ///
    /// It takes the rest of the path, and always answers: under a prefix,
    /// `warp::path("shop").and(shop().into_filter()?)` serves the route `/` at
    /// `/shop`. Handlers see the path without the prefix.
    ///
    /// Must be called within a tokio runtime, where the server's tasks run
    /// until the last clone of the filter is dropped. To send from elsewhere,
    /// take [`signals`](Self::signals) first.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start), except for addresses, which are not used.
    pub fn into_filter(self) -> crate::server::error::Result<RouteFilter> {
        let embedded = Arc::new(self.embed()?);
        let query = warp::query::raw().or(warp::any().map(String::new)).unify();
        // In HTTP/2 the authority is in no header, and only headers are passed
        // on.
        let authority = warp::host::optional().or(warp::any().map(|| None)).unify();
        let request = warp::path::tail()
            .and(query)
            .and(warp::method())
            .and(warp::header::headers_cloned())
            .and(authority)
            .and(warp::ext::optional::<OnUpgrade>())
            .and(warp::body::stream())
            .map(|tail: Tail, query: String, method, headers, authority, upgrade, chunks| {
                let chunks = StreamExt::map(chunks, |chunk| whole_chunk(chunk).map(Frame::data));
                let request = request(&tail, &query, method, headers, authority, upgrade);
                request.map(|()| StreamBody::new(chunks))
            });
        let filter = request.and(warp::addr::remote()).then(move |request, peer| {
            let embedded = Arc::clone(&embedded);
            let rules = ResponseRules::of(&request);
            async move {
                // Nested filters must run in tasks of their own; this one ends
                // with the request.
                let mut task = JoinSet::new();
                task.spawn(async move { embedded.dispatch.answer(request, peer, None).await });
                match task.join_next().await {
                    Some(Ok(Ok(response))) => response,
                    _ => {
                        let text = "the server is stopping";
                        let refused = sentence(StatusCode::SERVICE_UNAVAILABLE, text);
                        rules.fit(warp::Reply::into_response(refused))
                    }
                }
            }
        });
        Ok(filter.boxed())
    }

    /// Makes a tower service of the server, for an application built with axum
    /// or another framework that takes one: with `fallback_service`, or under a
    /// prefix with `nest_service`.
    ///
    /// Must be called within a tokio runtime, where the server's tasks run
    /// until the last clone of the service is dropped. To send from elsewhere,
    /// take [`signals`](Self::signals) first.
    ///
    /// # Errors
    ///
    /// As for [`into_filter`](Self::into_filter).
    pub fn into_service(self) -> crate::server::error::Result<Service> {
        Ok(Service { embedded: Arc::new(self.embed()?) })
    }
}

/// Makes the request that remains when a prefix was removed from the path.
fn request(
    tail: &Tail,
    query: &str,
    method: Method,
    headers: HeaderMap,
    authority: Option<Authority>,
    upgrade: Option<OnUpgrade>,
) -> Request<()> {
    let mut request = Request::new(());
    let mark = if query.is_empty() { "" } else { "?" };
    // It was part of a request's URI before, so it is valid.
    *request.uri_mut() =
        Uri::try_from(format!("/{}{mark}{query}", tail.as_str())).unwrap_or_default();
    *request.method_mut() = method;
    *request.headers_mut() = headers;
    let host = authority.and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    match (upgrade, host) {
        (Some(upgrade), _) => {
            request.extensions_mut().insert(upgrade);
        }
        // A handshake is HTTP/1.1 and must name its host itself.
        (None, Some(host)) => {
            request.headers_mut().insert(HOST, host);
        }
        (None, None) => {}
    }
    request
}

/// A declared server as a tower service; made by [`Server::into_service`].
///
/// It is always ready, and its clones are the same server. A `SocketAddr` in
/// the extensions of a request is taken as the peer address.
#[derive(Clone)]
pub struct Service {
    embedded: Arc<Embedded>,
}

impl<B> tower_service::Service<Request<B>> for Service
where
    B: Body + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let embedded = Arc::clone(&self.embedded);
        let peer = request.extensions().get::<SocketAddr>().copied();
        let request = request.map(|body| Exclusive { body: Mutex::new(Box::pin(body)) });
        Box::pin(async move { embedded.dispatch.answer(request, peer, None).await })
    }
}

debug_form!(Service, |_| {});

/// A body that may be shared between threads, as warp requires, because it is
/// only read through an exclusive reference. The lock is never taken.
struct Exclusive<B> {
    body: Mutex<Pin<Box<B>>>,
}

impl<B: Body> Body for Exclusive<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let body = self.body.get_mut().unwrap_or_else(PoisonError::into_inner);
        body.as_mut().poll_frame(context)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
