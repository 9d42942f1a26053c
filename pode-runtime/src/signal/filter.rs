//! The filter of a signal: which requests are clients, and which are messages of clients.

use std::sync::Arc;

use hyper::upgrade::OnUpgrade;
use warp::filters::BoxedFilter;
use warp::{Filter, Reply};

use super::post;
use super::route::{Handshake, SignalRoute};

impl SignalRoute {
    /// Makes the filter that turns a request into a client of the signal, if it
    /// is accepted.
    ///
    /// It never rejects: a refusal is a response, too. Each request carries its
    /// [`Handshake`] in its extensions, and asks for a WebSocket or an event stream, or is a
    /// message of a client that hears one.
    pub(crate) fn into_filter(self) -> BoxedFilter<(warp::reply::Response,)> {
        let route = Arc::new(self);
        warp::ext::get::<Handshake>()
            .and(warp::ext::optional::<OnUpgrade>())
            .and(warp::body::stream())
            .then(move |handshake: Handshake, upgrade, body| {
                let route = Arc::clone(&route);
                async move {
                    match post::is_asked(&handshake.head.method, &handshake.head.headers) {
                        true => route.post(handshake, body).await.into_response(),
                        false => route.answer(handshake, upgrade).await,
                    }
                }
            })
            .boxed()
    }
}
