//! Route filters: from a handler or a view to one warp filter.
//!
//! A filter finds its event in the request's extensions, where the dispatch put
//! it. It never rejects: every outcome becomes a response. The dispatch decides
//! which requests reach it.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use percent_encoding::{AsciiSet, utf8_percent_encode};
use pode_core::route_path::SEGMENT;
use warp::Filter;
use warp::filters::BoxedFilter;

use crate::app::event::WebEvent;
use crate::app::uncancelled::Uncancelled;
use crate::base::error::EventError;
use crate::base::limits::DeclaredLimits;
use crate::http::activity::Activity;
use crate::http::origin::Origins;
use crate::http::response::WholeResponse;
use crate::web::argument::{Argument, Body};
use crate::web::reply::{Reply, redirect};

/// Options of a route:
/// `route POST "/notes" (form: Note) { limits: Limits { max_body_bytes: 4096 } } => note;`
///
/// There is one more option, `endpoint: NAME` or `endpoint: [A, B]`, which the
/// macro itself handles.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RouteOptions {
    /// The maximum size and duration of a body; its endpoint's by default.
    /// These are `max_body_bytes`, `max_upload_bytes`, `body_timeout` and
    /// `min_bytes_per_second` of [`Limits`](crate::base::limits::Limits); the
    /// other limits apply before the route is known.
    pub limits: DeclaredLimits,

    /// Which origins' pages may send requests that change something: any but
    /// GET, HEAD and OPTIONS; `OwnPages` by default. The values need no `use`
    /// in the option's value: `{ origins: pages_of(["https://shop.example"]) }`
    /// or `{ origins: AnyPage }`. Other pages get 403. Programs other than
    /// browsers, which name no origin, may send.
    pub origins: Origins,
}

/// A request on the way to its filter, in the extensions of the request.
#[derive(Clone)]
pub(crate) struct RoutedRequest {
    pub(crate) event: WebEvent,
    /// Unknown in an embedded server.
    pub(crate) connection: Option<Arc<Activity>>,
}

/// A boxed warp filter that always answers.
pub type RouteFilter = BoxedFilter<(warp::reply::Response,)>;

/// Makes the filter of a route that redirects to another address, in which
/// `:name` and `*name` stand for the path's parameters.
pub fn redirect_filter(target: &'static str) -> RouteFilter {
    handler_filter_0(move |event: WebEvent| std::future::ready(redirect(fill_in(target, &event))))
}

fn fill_in(target: &str, event: &WebEvent) -> String {
    if !target.starts_with('/') {
        return target.to_owned();
    }
    let fill = |segment: &str| {
        let Some(value) = segment.strip_prefix([':', '*']).and_then(|name| event.parameter(name))
        else {
            return segment.to_owned();
        };
        // The value of a catch-all stays several segments.
        let allowed = if segment.starts_with('*') { SEGMENTS } else { SEGMENT };
        utf8_percent_encode(value, allowed).to_string()
    };
    target.split('/').map(fill).collect::<Vec<_>>().join("/")
}

const SEGMENTS: &AsciiSet = &SEGMENT.remove(b'/');

/// Makes the filter of a route from a function that answers with its handler.
///
/// The handler's types are erased here: otherwise warp's combinators would be
/// compiled for each of them, which would be most of the compile time.
fn filter<F, Answer>(answer: F) -> RouteFilter
where
    F: Fn(WebEvent, Body) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = WholeResponse> + Send + 'static,
{
    boxed_filter(Arc::new(move |event, body| Box::pin(answer(event, body))))
}

/// Makes a filter from a boxed answer function; compiled once for all handlers.
fn boxed_filter(
    answer: Arc<dyn Fn(WebEvent, Body) -> BoxFuture<'static, WholeResponse> + Send + Sync>,
) -> RouteFilter {
    warp::ext::get::<RoutedRequest>()
        .and(warp::body::stream())
        .then(move |RoutedRequest { event, connection }, chunks| {
            let chunks = Box::pin(StreamExt::map(chunks, whole_chunk));
            let limits = event.limits();
            let answer = answer(event.clone(), Body { chunks, limits });
            let answer = Uncancelled::new(answer, event, connection);
            async move { warp::Reply::into_response(answer.await) }
        })
        .boxed()
}

/// Makes a chunk contiguous, which it nearly always is already.
pub(crate) fn whole_chunk(chunk: Result<impl Buf, warp::Error>) -> Result<Bytes, warp::Error> {
    chunk.map(|mut buffer| buffer.copy_to_bytes(buffer.remaining()))
}

/// Makes the function that makes the filter of a route from a handler and so
/// many arguments.
///
/// The bound on the handler is a plain `Fn` from the event and the values, so
/// that a closure's parameters are inferred. It is written out below, since
/// rustc quotes it in error messages.
macro_rules! handler_filter {
    ($name:ident ($($argument:ident: $Type:ident),*) $($Handler:tt)*) => {
        /// Makes the filter of a route from a handler and its arguments.
        #[allow(clippy::too_many_arguments, reason = "each is one of the declaration's")]
        pub fn $name<$($Type,)* Handler, Answer>(
            $($argument: $Type,)*
            handler: Handler,
        ) -> RouteFilter
        where
            $($Type: Argument,)*
            Handler: $($Handler)* + Send + Sync + 'static,
            Answer: Future<Output: Reply> + Send + 'static,
        {
            let parts = Arc::new((($($argument,)*), handler));
            // Without arguments, the body isn't used.
            #[allow(unused_mut, unused_variables)]
            filter(move |event, mut body| {
                let parts = Arc::clone(&parts);
                async move {
                    let (($($argument,)*), handler) = &*parts;
                    let values = async {
                        Ok::<_, EventError>(($($argument.take(&event, &mut body).await?,)*))
                    };
                    match values.await {
                        Ok(($($argument,)*)) => {
                            handler(event.clone(), $($argument),*).await.into_response(&event)
                        }
                        Err(error) => error.into_response(&event),
                    }
                }
            })
        }
    };
}

handler_filter!(handler_filter_0() Fn(WebEvent) -> Answer);
handler_filter!(handler_filter_1(a: A) Fn(WebEvent, A::Value) -> Answer);
handler_filter!(handler_filter_2(a: A, b: B) Fn(WebEvent, A::Value, B::Value) -> Answer);
handler_filter!(
    handler_filter_3(a: A, b: B, c: C)
    Fn(WebEvent, A::Value, B::Value, C::Value) -> Answer
);
handler_filter!(
    handler_filter_4(a: A, b: B, c: C, d: D)
    Fn(WebEvent, A::Value, B::Value, C::Value, D::Value) -> Answer
);
handler_filter!(
    handler_filter_5(a: A, b: B, c: C, d: D, e: E)
    Fn(WebEvent, A::Value, B::Value, C::Value, D::Value, E::Value) -> Answer
);
handler_filter!(
    handler_filter_6(a: A, b: B, c: C, d: D, e: E, f: F)
    Fn(WebEvent, A::Value, B::Value, C::Value, D::Value, E::Value, F::Value) -> Answer
);
handler_filter!(
    handler_filter_7(a: A, b: B, c: C, d: D, e: E, f: F, g: G)
    Fn(WebEvent, A::Value, B::Value, C::Value, D::Value, E::Value, F::Value, G::Value) -> Answer
);
handler_filter!(
    handler_filter_8(a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H)
    Fn(WebEvent, A::Value, B::Value, C::Value, D::Value, E::Value, F::Value, G::Value, H::Value)
        -> Answer
);
