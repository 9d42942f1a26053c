//! Compares the checks of routes, and the results of the route table, with a
//! matcher that tries every request of a small set.
//!
//! The segments of these requests are single letters, one of which no route
//! names. The longest request is longer than any route without a catch-all. So
//! if two routes share any requests, they share some of this set.

use std::collections::{BTreeSet, HashSet};

use pode_core::check::check;
use pode_core::model::{Action, Argument, Endpoint, Head, Name, Place, Route, Server, Source};
use pode_core::route_path::Segment;
use pode_core::route_table::{Found, RouteTable};
use pode_core::{Method, Protocol, RoutePath};
use proptest::prelude::*;

const MOST_SEGMENTS_OF_A_ROUTE: usize = 3;
const MOST_SEGMENTS_OF_A_REQUEST: usize = MOST_SEGMENTS_OF_A_ROUTE + 1;
/// No route names the last letter.
const LETTERS: [&str; 3] = ["a", "b", "z"];
const METHODS: [Method; 4] = [Method::Get, Method::Head, Method::Post, Method::Put];

/// The methods and the path of a route.
#[derive(Clone)]
struct Declared {
    methods: BTreeSet<Method>,
    path: RoutePath,
}

impl std::fmt::Debug for Declared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}", self.methods, self.path)
    }
}

fn any_route() -> impl Strategy<Value = Declared> {
    let segment = prop::sample::select(vec!["a", "b", ":"]);
    let segments = prop::collection::vec(segment, 0..=MOST_SEGMENTS_OF_A_ROUTE);
    let rest = prop::bool::weighted(0.25);
    let methods = prop::sample::subsequence(METHODS.to_vec(), 1..=2);
    (segments, rest, methods).prop_map(|(mut segments, rest, methods)| {
        if rest {
            segments.truncate(MOST_SEGMENTS_OF_A_ROUTE - 1);
            segments.push("*");
        }
        let named = segments.iter().enumerate().map(|(place, segment)| match *segment {
            ":" | "*" => format!("/{segment}p{place}"),
            text => format!("/{text}"),
        });
        let written = named.collect::<String>();
        let written = if written.is_empty() { "/" } else { &written };
        Declared {
            methods: methods.into_iter().collect(),
            path: written.parse().expect("it is well formed"),
        }
    })
}

fn any_routes() -> impl Strategy<Value = Vec<Declared>> {
    prop::collection::vec(any_route(), 1..10)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The checks name two routes exactly if some requests match both, and
    /// either all requests of both do, or each also matches others.
    #[test]
    fn the_checks_agree_with_the_requests(routes in any_routes()) {
        let mut named = Vec::new();
        for diagnostic in check(&server(&routes)) {
            let twice = diagnostic.message.contains("is declared twice");
            prop_assert!(twice || diagnostic.message.contains("neither is the more specific"));
            prop_assert_eq!(diagnostic.others.len(), 1);
            named.push((diagnostic.others[0].0.0, diagnostic.place.0, twice));
        }

        let requests: Vec<HashSet<usize>> = routes.iter().map(|route| requests(&route.path)).collect();
        let mut expected = Vec::new();
        for later in 0..routes.len() {
            for earlier in 0..later {
                let (one, other) = (&requests[earlier], &requests[later]);
                let (first, second) = (&routes[earlier].methods, &routes[later].methods);
                let shared = !first.is_disjoint(second);
                // A GET route answers HEAD, unless its path has a HEAD route.
                let by_head = |one: &BTreeSet<Method>, other: &BTreeSet<Method>| {
                    one.contains(&Method::Get) && other.contains(&Method::Head)
                };
                if one == other && shared {
                    expected.push((earlier, later, true));
                } else if (shared || by_head(first, second) || by_head(second, first))
                    && one != other
                    && !one.is_disjoint(other) && !one.is_subset(other) && !other.is_subset(one) {
                    expected.push((earlier, later, false));
                }
            }
        }
        prop_assert_eq!(named, expected);
    }

    /// Among routes that pass the checks, the table finds for each request the
    /// one that matches the fewest others.
    #[test]
    fn the_table_finds_the_most_specific_route(routes in any_routes()) {
        let mut passing: Vec<Declared> = Vec::new();
        for route in routes {
            passing.push(route);
            if !check(&server(&passing)).is_empty() {
                passing.pop();
            }
        }
        let mut table = RouteTable::default();
        for (index, route) in passing.iter().enumerate() {
            for method in &route.methods {
                prop_assert_eq!(table.insert(*method, &route.path, index), None);
            }
        }
        let requests: Vec<HashSet<usize>> = passing.iter().map(|route| requests(&route.path)).collect();
        for (number, request) in every_request().iter().enumerate() {
            let path = format!("/{}", request.join("/"));
            let fitting: Vec<usize> =
                (0..passing.len()).filter(|index| requests[*index].contains(&number)).collect();
            for method in Method::ALL.map(Some).into_iter().chain([None]) {
                let narrowest = narrowest(&passing, &requests, &fitting, method);
                match table.find(method, &path) {
                    Found::Route { index, parameters } => {
                        prop_assert!(narrowest.contains(&index), "{:?} {} finds {}", method, path, index);
                        prop_assert_eq!(parameters, values(&passing[index].path, request));
                    }
                    found => {
                        prop_assert!(narrowest.is_empty(), "{:?} {} finds none", method, path);
                        prop_assert_eq!(found, none_with_method(&passing, &fitting));
                    }
                }
            }
        }
    }
}

/// Returns the routes that answer the method, without those that lose to a more
/// specific one: one route, or none if no route answers.
fn narrowest(
    routes: &[Declared],
    requests: &[HashSet<usize>],
    fitting: &[usize],
    method: Option<Method>,
) -> Vec<usize> {
    let Some(method) = method else {
        return Vec::new();
    };
    let own = |index: usize| routes[index].methods.contains(&method);
    let answers = |index: usize| {
        own(index) || method == Method::Head && routes[index].methods.contains(&Method::Get)
    };
    let candidates: Vec<usize> = fitting.iter().copied().filter(|index| answers(*index)).collect();
    // Of two routes with one path, the one that names the method wins.
    let wins = |one: usize, other: usize| {
        let (mine, theirs) = (&requests[one], &requests[other]);
        mine.is_subset(theirs) && (mine != theirs || own(one) && !own(other))
    };
    let unbeaten = |index: &usize| !candidates.iter().any(|other| wins(*other, *index));
    let narrowest: Vec<usize> = candidates.iter().copied().filter(unbeaten).collect();
    assert!(narrowest.len() <= 1, "the checks let {narrowest:?} through");
    narrowest
}

fn none_with_method(routes: &[Declared], fitting: &[usize]) -> Found {
    let mut allow: BTreeSet<Method> =
        fitting.iter().flat_map(|index| routes[*index].methods.iter().copied()).collect();
    if allow.contains(&Method::Get) {
        allow.insert(Method::Head);
    }
    if allow.is_empty() { Found::Nothing } else { Found::OtherMethod { allow } }
}

/// Returns each request, from the shortest to the longest.
fn every_request() -> Vec<Vec<&'static str>> {
    let mut all = vec![Vec::new()];
    let mut longest = all.clone();
    for _ in 0..MOST_SEGMENTS_OF_A_REQUEST {
        let longer = longest.iter().flat_map(|request| {
            LETTERS.map(|letter| request.iter().copied().chain([letter]).collect::<Vec<_>>())
        });
        longest = longer.collect();
        all.extend(longest.iter().cloned());
    }
    all
}

/// Returns the numbers of the requests that a path matches.
fn requests(path: &RoutePath) -> HashSet<usize> {
    let every = every_request();
    (0..every.len()).filter(|number| takes(path.segments(), &every[*number])).collect()
}

/// Whether a path matches these segments, by the definition alone.
fn takes(path: &[Segment], request: &[&str]) -> bool {
    match (path, request) {
        ([], []) => true,
        ([Segment::Rest(_)], [_, ..]) => true,
        ([Segment::Literal(text), path @ ..], [first, request @ ..]) => {
            text == first && takes(path, request)
        }
        ([Segment::Parameter(_), path @ ..], [_, request @ ..]) => takes(path, request),
        _ => false,
    }
}

/// Returns the values of a path's parameters, for a request that it matches.
fn values(path: &RoutePath, request: &[&str]) -> Vec<String> {
    let segments = path.segments().iter().enumerate();
    let taken = segments.filter_map(|(place, segment)| match segment {
        Segment::Literal(_) => None,
        Segment::Parameter(_) => Some(request[place].to_owned()),
        Segment::Rest(_) => Some(request[place..].join("/")),
    });
    taken.collect()
}

/// Makes a model of the routes. The place of a path is the index of its route.
fn server(routes: &[Declared]) -> Server {
    let elsewhere = Place(usize::MAX);
    let head = |index| Head { index, noun: elsewhere, cfg: None };
    let endpoint = Endpoint {
        head: head(0),
        name: None,
        protocol: Protocol::Http,
        protocol_place: elsewhere,
        bind: None,
        address_place: elsewhere,
        certificate: None,
        client_certificate: None,
        limits: Vec::new(),
    };
    let route = |(index, declared): (usize, &Declared)| {
        let argument = |name: &str| Argument {
            name: Name { text: name.to_owned(), place: elsewhere },
            source: Source::Path,
            integer: None,
        };
        Route {
            head: head(index + 1),
            methods: declared.methods.iter().map(|method| (*method, elsewhere)).collect(),
            arguments: declared.path.parameters().map(argument).collect(),
            path: declared.path.clone(),
            path_place: Place(index),
            action: Action::Handler,
            endpoints: Vec::new(),
            limits: Vec::new(),
        }
    };
    Server {
        endpoints: vec![endpoint],
        routes: routes.iter().enumerate().map(route).collect(),
        ..Server::default()
    }
}
