//! How long a request takes to the first and to the last of two hundred routes.
//!
//! Requests are made and answered in this thread, without sockets, by a server
//! of pode, by its route table alone, and by a router of axum with the same
//! paths. All take their turns in each round, so that whatever slows the
//! machine down slows them alike, and the ratios are made within the rounds.

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Body;
use pode::prelude::*;
use pode_core::route_table::Found;
use pode_core::{Method, RouteTable};
use tower_service::Service;

mod measure;

/// Declares a server of these routes, and lists their paths.
macro_rules! routes {
    ($($path:tt)*) => {
        pode_server! {
            server two_hundred;
            endpoint http 0;
            $(route GET $path (id: u64) => async |_: WebEvent, id: u64| text(id.to_string());)*
        }

        const PATHS: [&str; 200] = [$($path),*];
    };
}

routes! {
    "/000/:id" "/001/:id" "/002/:id" "/003/:id" "/004/:id" "/005/:id" "/006/:id" "/007/:id"
    "/008/:id" "/009/:id" "/010/:id" "/011/:id" "/012/:id" "/013/:id" "/014/:id" "/015/:id"
    "/016/:id" "/017/:id" "/018/:id" "/019/:id" "/020/:id" "/021/:id" "/022/:id" "/023/:id"
    "/024/:id" "/025/:id" "/026/:id" "/027/:id" "/028/:id" "/029/:id" "/030/:id" "/031/:id"
    "/032/:id" "/033/:id" "/034/:id" "/035/:id" "/036/:id" "/037/:id" "/038/:id" "/039/:id"
    "/040/:id" "/041/:id" "/042/:id" "/043/:id" "/044/:id" "/045/:id" "/046/:id" "/047/:id"
    "/048/:id" "/049/:id" "/050/:id" "/051/:id" "/052/:id" "/053/:id" "/054/:id" "/055/:id"
    "/056/:id" "/057/:id" "/058/:id" "/059/:id" "/060/:id" "/061/:id" "/062/:id" "/063/:id"
    "/064/:id" "/065/:id" "/066/:id" "/067/:id" "/068/:id" "/069/:id" "/070/:id" "/071/:id"
    "/072/:id" "/073/:id" "/074/:id" "/075/:id" "/076/:id" "/077/:id" "/078/:id" "/079/:id"
    "/080/:id" "/081/:id" "/082/:id" "/083/:id" "/084/:id" "/085/:id" "/086/:id" "/087/:id"
    "/088/:id" "/089/:id" "/090/:id" "/091/:id" "/092/:id" "/093/:id" "/094/:id" "/095/:id"
    "/096/:id" "/097/:id" "/098/:id" "/099/:id" "/100/:id" "/101/:id" "/102/:id" "/103/:id"
    "/104/:id" "/105/:id" "/106/:id" "/107/:id" "/108/:id" "/109/:id" "/110/:id" "/111/:id"
    "/112/:id" "/113/:id" "/114/:id" "/115/:id" "/116/:id" "/117/:id" "/118/:id" "/119/:id"
    "/120/:id" "/121/:id" "/122/:id" "/123/:id" "/124/:id" "/125/:id" "/126/:id" "/127/:id"
    "/128/:id" "/129/:id" "/130/:id" "/131/:id" "/132/:id" "/133/:id" "/134/:id" "/135/:id"
    "/136/:id" "/137/:id" "/138/:id" "/139/:id" "/140/:id" "/141/:id" "/142/:id" "/143/:id"
    "/144/:id" "/145/:id" "/146/:id" "/147/:id" "/148/:id" "/149/:id" "/150/:id" "/151/:id"
    "/152/:id" "/153/:id" "/154/:id" "/155/:id" "/156/:id" "/157/:id" "/158/:id" "/159/:id"
    "/160/:id" "/161/:id" "/162/:id" "/163/:id" "/164/:id" "/165/:id" "/166/:id" "/167/:id"
    "/168/:id" "/169/:id" "/170/:id" "/171/:id" "/172/:id" "/173/:id" "/174/:id" "/175/:id"
    "/176/:id" "/177/:id" "/178/:id" "/179/:id" "/180/:id" "/181/:id" "/182/:id" "/183/:id"
    "/184/:id" "/185/:id" "/186/:id" "/187/:id" "/188/:id" "/189/:id" "/190/:id" "/191/:id"
    "/192/:id" "/193/:id" "/194/:id" "/195/:id" "/196/:id" "/197/:id" "/198/:id" "/199/:id"
}

const FIRST: &str = "/000/7";
const LAST: &str = "/199/7";

const ROUNDS: usize = 101;
const REQUESTS: u32 = 2_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let rounds = if measure::is_measuring() { ROUNDS } else { 1 };
    let mut pode = two_hundred().into_service().expect("the server embeds");
    let mut axum = axum_router();
    let table = route_table();

    let mut measured = Vec::new();
    for round in 0..rounds {
        let mut times = [Duration::ZERO; 6];
        // Whoever comes first finds the caches as another left them.
        for turn in 0..times.len() {
            let which = (round + turn) % times.len();
            times[which] = match which {
                0 => answer(&mut pode, FIRST).await,
                1 => answer(&mut pode, LAST).await,
                2 => answer(&mut axum, FIRST).await,
                3 => answer(&mut axum, LAST).await,
                4 => find(&table, FIRST),
                _ => find(&table, LAST),
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
}

/// Measures how long a service takes to answer many requests.
async fn answer<S, Answer>(service: &mut S, path: &str) -> Duration
where
    S: Service<Request<Empty<Bytes>>, Response = hyper::Response<Answer>, Error = Infallible>,
    Answer: Body<Data: Send, Error: std::fmt::Debug>,
{
    // Making a request takes as long for any route, and would hide a difference.
    let request = |_| Request::get(path).body(Empty::new()).expect("the request is well-formed");
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

fn axum_router() -> axum::Router {
    use axum::extract::Path;
    use axum::routing::get;

    PATHS.iter().fold(axum::Router::new(), |router, path| {
        let path = path.replace(":id", "{id}");
        router.route(&path, get(async |Path(id): Path<u64>| id.to_string()))
    })
}
