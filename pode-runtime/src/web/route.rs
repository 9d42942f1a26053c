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
use crate::base::function::{Function, Takes};
use crate::base::limits::DeclaredLimits;
use crate::base::outcome::Asynchronous;
use crate::http::activity::Activity;
use crate::http::origin::Origins;
use crate::http::response::WholeResponse;
use crate::web::argument::{Argument, Body};
use crate::web::reply::{Reply, redirect, with_file};

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
///
/// A parameter that would lead elsewhere than the address says is answered with
/// 404: browsers resolve `..` and `.`, encoded or not, and an empty segment at
/// the beginning makes `//`, behind which they read a host.
pub fn redirect_filter(target: &'static str) -> RouteFilter {
    handler_filter_0(move |event: WebEvent| {
        let location = fill_in(target, |name| event.parameter(name));
        let elsewhere = || EventError::new(404, "there is nothing at this path");
        std::future::ready(location.map(redirect).ok_or_else(elsewhere))
    })
}

/// `None` if a value of a stranger has a segment that is no name.
fn fill_in<'a>(target: &str, parameter: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    // Also behind `//` stands a host: the address is another server's.
    if !target.starts_with('/') || target.starts_with("//") {
        return Some(target.to_owned());
    }
    let fill = |segment: &str| {
        let Some(value) = segment.strip_prefix([':', '*']).and_then(&parameter) else {
            return Some(segment.to_owned());
        };
        // The value of a catch-all stays several segments.
        let is_one = segment.starts_with(':');
        let is_name = |part: &str| !matches!(part, "" | "." | "..");
        let allowed = if is_one { SEGMENT } else { SEGMENTS };
        let is_sound = if is_one { is_name(value) } else { value.split('/').all(is_name) };
        is_sound.then(|| utf8_percent_encode(value, allowed).to_string())
    };
    let (path, behind) = target.split_at(target.find(['?', '#']).unwrap_or(target.len()));
    Some(path.split('/').map(fill).collect::<Option<Vec<_>>>()?.join("/") + behind)
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
            let answer = Uncancelled::new(answer, event.clone(), connection);
            async move { with_file(answer.await, &event) }
        })
        .boxed()
}

/// Makes a chunk contiguous, which it nearly always is already.
pub(crate) fn whole_chunk(chunk: Result<impl Buf, warp::Error>) -> Result<Bytes, warp::Error> {
    chunk.map(|mut buffer| buffer.copy_to_bytes(buffer.remaining()))
}

/// Makes the functions that make the filter of a route from a handler and so many
/// arguments: from a closure, and from a function.
///
/// The bound on a closure is a plain `Fn` from the event and the values, so that
/// its parameters are inferred. It is written out below, since rustc quotes it in
/// error messages.
macro_rules! handler_filter {
    (
        $name:ident $function:ident ($($argument:ident: $Type:ident),*) $($Handler:tt)*
    ) => {
        /// Makes the filter of a route from a closure and its arguments.
        #[allow(clippy::too_many_arguments, reason = "each is one of the declaration's")]
        pub fn $name<$($Type,)* Handler, Answer>(
            $($argument: $Type,)*
            handler: Handler,
        ) -> RouteFilter
        where
            $($Type: Argument,)*
            Handler: $($Handler)* + Send + Sync + 'static,
            Answer: Asynchronous<Value: Reply> + Send + 'static,
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

        /// Makes the filter of a route from a function and its arguments.
        #[allow(clippy::too_many_arguments, reason = "each is one of the declaration's")]
        pub fn $function<$($Type,)* Handler, Taken, Answer>(
            $($argument: $Type,)*
            handler: Handler,
        ) -> RouteFilter
        where
            $($Type: Argument,)*
            Handler: Function<Taken, Answer = Answer> + Send + Sync + 'static,
            Taken: Takes<(WebEvent, $($Type::Value,)*)>,
            Answer: Asynchronous<Value: Reply> + Send + 'static,
        {
            let handler = move |event, $($argument: $Type::Value),*| {
                handler.call(Taken::of((event, $($argument,)*)))
            };
            $name($($argument,)* handler)
        }
    };
}

handler_filter!(handler_filter_0 function_filter_0 () Fn(WebEvent) -> Answer);
handler_filter!(handler_filter_1 function_filter_1 (a: A) Fn(WebEvent, A::Value) -> Answer);
handler_filter!(handler_filter_2 function_filter_2 (a: A, b: B) Fn(WebEvent, A::Value, B::Value) -> Answer);
handler_filter!(
    handler_filter_3 function_filter_3 (a: A, b: B, c: C)
    Fn(WebEvent, A::Value, B::Value, C::Value) -> Answer
);
handler_filter!(
    handler_filter_4 function_filter_4 (a: A, b: B, c: C, d: D)
    Fn(WebEvent, A::Value, B::Value, C::Value, D::Value) -> Answer
);
handler_filter!(
    handler_filter_5 function_filter_5 (a: A, b: B, c: C, d: D, e: E)
    Fn(WebEvent, A::Value, B::Value, C::Value, D::Value, E::Value) -> Answer
);
handler_filter!(
    handler_filter_6 function_filter_6 (a: A, b: B, c: C, d: D, e: E, f: F)
    Fn(WebEvent, A::Value, B::Value, C::Value, D::Value, E::Value, F::Value) -> Answer
);
handler_filter!(
    handler_filter_7 function_filter_7 (a: A, b: B, c: C, d: D, e: E, f: F, g: G)
    Fn(WebEvent, A::Value, B::Value, C::Value, D::Value, E::Value, F::Value, G::Value) -> Answer
);
handler_filter!(
    handler_filter_8 function_filter_8 (a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H)
    Fn(WebEvent, A::Value, B::Value, C::Value, D::Value, E::Value, F::Value, G::Value, H::Value)
        -> Answer
);

#[cfg(test)]
mod tests {
    use pode_core::route_table::Found;
    use pode_core::{Method, RoutePath, RouteTable};
    use proptest::prelude::*;

    use super::*;

    /// Returns the address to which a route with this path redirects a request;
    /// `None` if it answers otherwise.
    fn location(path: &str, target: &str, request: &str) -> Option<String> {
        let path: RoutePath = path.parse().unwrap();
        let mut table = RouteTable::default();
        table.insert(Method::Get, &path, 0);
        let Found::Route { parameters, .. } = table.find(Some(Method::Get), request) else {
            return None;
        };
        fill_in(target, |name| {
            let place = path.parameters().position(|other| other == name)?;
            Some(&parameters[place])
        })
    }

    #[test]
    fn a_redirect_leads_nowhere_but_where_it_says() {
        #[track_caller]
        fn check(path: &str, target: &str, request: &str, expected: Option<&str>) {
            assert_eq!(location(path, target, request).as_deref(), expected, "{request}");
        }
        for (request, expected) in [
            ("/go/a/b", Some("/a/b")),
            ("/go/a%2Fb/", Some("/a/b")),
            ("/go/%5Cevil.com", Some("/%5Cevil.com")),
            ("/go/%09/evil.com", Some("/%09/evil.com")),
            ("/go/a%0Ab%0D%3F%23", Some("/a%0Ab%0D%3F%23")),
            ("/go/%252e%252e/a", Some("/%252e%252e/a")),
            ("/go/.../..a", Some("/.../..a")),
            ("/go/%2Fevil.com", None),
            ("/go/%2F/evil.com", None),
            ("/go//evil.com", None),
            ("/go/a//b", None),
            ("/go/a%2F", None),
            ("/go/a/../b", None),
            ("/go/a/%2e%2E", None),
            ("/go/.", None),
        ] {
            check("/go/*rest", "/*rest", request, expected);
        }
        check("/old/:id", "/files/:id/edit", "/old/..", None);
        check("/old/:id", "/files/:id/edit", "/old/%2E", None);
        check("/old/:id", "/:id", "/old/%2F%2Fevil.com", Some("/%2F%2Fevil.com"));
        check("/old/:id", "/files/:id/edit", "/old/%2F..", Some("/files/%2F../edit"));
        // Addresses of other servers are not filled in.
        check("/to/:host", "//:host", "/to/evil.com", Some("//:host"));
        check("/to/:host", "https://:host", "/to/evil.com", Some("https://:host"));
    }

    /// The path that a browser requests behind a redirect on the same server, as
    /// the URL standard of WHATWG has it; `None` if it leaves the server.
    fn resolved(location: &str) -> Option<Vec<String>> {
        let text: String = location.chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect();
        let text = text.trim_matches(|c: char| c <= ' ').replace('\\', "/");
        let path = text.strip_prefix('/').filter(|path| !path.starts_with('/'))?;
        let mut segments = Vec::new();
        for segment in path.split(['?', '#']).next()?.split('/') {
            match segment.to_ascii_lowercase().replace("%2e", ".").as_str() {
                ".." => _ = segments.pop(),
                "." => {}
                _ => segments.push(segment.to_owned()),
            }
        }
        Some(segments)
    }

    proptest! {
        #[test]
        fn no_request_is_redirected_beyond_the_declared_prefix(
            parts in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(vec![
                        "/", "//", ".", "..", "%2e", "%2F", "%5C", "\\", "%09", "%0A", "%0d", "%00", "%20",
                        "@", ":", "%3F", "#", "%25", "%FF", "evil.com", "https:",
                    ])
                    .prop_map(str::to_owned),
                    any::<char>().prop_map(String::from),
                ],
                0..8,
            ),
        ) {
            let request = format!("/go/{}", parts.concat());
            for (path, target) in [
                ("/go/*rest", "/*rest"),
                ("/go/*rest", "/files/*rest"),
                ("/go/:id", "/:id"),
                ("/go/:id/*rest", "/files/:id/*rest"),
                ("/go/:id", "/files/:id/edit"),
            ] {
                let Some(location) = location(path, target, &request) else { continue };
                prop_assert!(http::HeaderValue::try_from(&location).is_ok());
                let found = resolved(&location).expect("the address is this server's");
                let written = location[1..].split('/').map(str::to_owned).collect::<Vec<_>>();
                prop_assert_eq!(&found, &written, "{} {}", request, location);
                let declared: Vec<&str> = target[1..].split('/').take_while(|it| !it.starts_with([':', '*'])).collect();
                prop_assert_eq!(&found[..declared.len()], &declared[..]);
                if !target.contains('*') {
                    prop_assert_eq!(found.len(), target[1..].split('/').count());
                }
            }
        }
    }
}
