//! How long a request to the first and to the last of two hundred routes takes.
//!
//! Requests are made and answered in this thread, without sockets, by a server
//! of pode, by its route table alone, by one warp filter of the form that each
//! route has, and by a router of axum with the same paths. All take turns in each
//! round, so that other load on the machine slows them alike, and the ratios are
//! computed within the rounds.

use std::convert::Infallible;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Body;
use pode_core::route_table::Found;
use pode_core::{Method, RouteTable};
use tower_service::Service;
use warp::{Filter, Reply};

use two_hundred::{FIRST, LAST, PATHS, axum_router, two_hundred};

mod measure;
mod two_hundred;

const ROUNDS: usize = 101;
const REQUESTS: u32 = 2_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let rounds = if measure::is_measuring() { ROUNDS } else { 1 };
    let mut pode = two_hundred().into_service().expect("the server embeds");
    let mut axum = axum_router();
    let mut warp = warp::service(warp_filter());
    let table = route_table();

    let mut measured = Vec::new();
    for round in 0..rounds {
        let mut times = [Duration::ZERO; 7];
        // Rotated, since the first one finds the caches as another left them.
        for turn in 0..times.len() {
            let which = (round + turn) % times.len();
            times[which] = match which {
                0 => answer(&mut pode, FIRST).await,
                1 => answer(&mut pode, LAST).await,
                2 => answer(&mut axum, FIRST).await,
                3 => answer(&mut axum, LAST).await,
                4 => find(&table, FIRST),
                5 => find(&table, LAST),
                _ => answer(&mut warp, FIRST).await,
            };
        }
        measured.push(times.map(|time| time.as_secs_f64() * 1e6 / f64::from(REQUESTS)));
    }

    let titles = ["pode, a whole request", "axum, a whole request", "pode, the route table alone"];
    for (title, first) in titles.iter().zip([0, 2, 4]) {
        let last = first + 1;
        measure::tell(&format!("{title}: first"), "us", measured.iter().map(|t| t[first]));
        measure::tell(&format!("{title}: last"), "us", measured.iter().map(|t| t[last]));
        measure::tell(
            &format!("{title}: last / first"),
            "",
            measured.iter().map(|t| t[last] / t[first]),
        );
    }
    measure::tell("pode / axum", "", measured.iter().map(|t| t[0] / t[2]));
    measure::tell("warp, one filter alone", "us", measured.iter().map(|t| t[6]));
}

/// Makes a filter in the form of a route's, which answers at once.
fn warp_filter() -> warp::filters::BoxedFilter<(warp::reply::Response,)> {
    type Answer = Pin<Box<dyn Future<Output = warp::reply::Response> + Send>>;
    let answer = |body| -> Answer {
        Box::pin(async move {
            drop(body);
            "7".into_response()
        })
    };
    warp::ext::get::<Arc<str>>()
        .and(warp::body::stream())
        .then(move |_, body| answer(Box::pin(body)))
        .boxed()
}

/// Measures how long a service takes to answer many requests.
async fn answer<S, Answer>(service: &mut S, path: &str) -> Duration
where
    S: Service<Request<Empty<Bytes>>, Response = hyper::Response<Answer>, Error = Infallible>,
    Answer: Body<Data: Send, Error: std::fmt::Debug>,
{
    // Making a request takes as long for any route, and would hide a difference.
    // Only the filter of warp looks for the extension.
    let event: Arc<str> = Arc::from(path);
    let request = |_| {
        let request = Request::get(path).extension(Arc::clone(&event)).body(Empty::new());
        request.expect("the request is well-formed")
    };
    let requests: Vec<_> = (0..REQUESTS).map(request).collect();
    let before = measure::time_of_this_thread();
    for request in requests {
        let Ok(response) = service.call(request).await;
        let body = response.into_body().collect().await.expect("the body is whole").to_bytes();
        assert_eq!(body, "7");
    }
    measure::time_of_this_thread() - before
}

/// Measures how long the table takes to find the route of many requests.
fn find(table: &RouteTable, path: &str) -> Duration {
    let before = measure::time_of_this_thread();
    for _ in 0..REQUESTS {
        let found = table.find(Some(Method::Get), black_box(path));
        assert!(matches!(black_box(found), Found::Route { .. }));
    }
    measure::time_of_this_thread() - before
}

fn route_table() -> RouteTable {
    let mut table = RouteTable::default();
    for (index, path) in PATHS.iter().enumerate() {
        let path = path.parse().expect("the paths are well-formed");
        assert_eq!(table.insert(Method::Get, &path, index), None);
    }
    table
}
