//! The route table: finds the declared route for a method and a path.
//!
//! A tree of segments, walked from the most to the least specific: at each step
//! a literal comes before a parameter, and a parameter before a catch-all. If
//! that leads to a path without the requested method, the walk goes back and
//! tries the next wider one, so `POST /users/me` finds `POST /users/:id` even
//! if only `GET /users/me` is declared.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use percent_encoding::percent_decode_str;

use crate::method::Method;
use crate::route_path::{RoutePath, Segment};

/// Finds routes by method and path; the caller identifies each by an index.
#[derive(Debug, Default)]
pub struct RouteTable {
    root: Node,
}

/// The result of a look-up.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// This route.
    Route {
        /// The index it was inserted with.
        index: usize,
        /// The values of its path's parameters, decoded, from left to right.
        parameters: Vec<String>,
    },
    /// The path is declared, but not with this method.
    OtherMethod {
        /// The methods that the path answers, for the `Allow` header.
        allow: BTreeSet<Method>,
    },
    /// No declared path matches.
    Nothing,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    parameter: Option<Box<Node>>,
    /// Routes whose path ends in a catch-all here.
    rest: Vec<(Method, usize)>,
    /// Routes whose path ends here.
    ends: Vec<(Method, usize)>,
}

impl RouteTable {
    /// Adds a route.
    ///
    /// Returns the index of the route that already has this method and path,
    /// if there is one; the table then stays as it was.
    pub fn insert(&mut self, method: Method, path: &RoutePath, index: usize) -> Option<usize> {
        let mut node = &mut self.root;
        let mut catches_rest = false;
        for segment in path.segments() {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.clone()).or_default(),
                Segment::Parameter(_) => node.parameter.get_or_insert_default(),
                Segment::Rest(_) => {
                    catches_rest = true;
                    break;
                }
            };
        }
        let routes = if catches_rest { &mut node.rest } else { &mut node.ends };
        if let Some((_, earlier)) = routes.iter().find(|(other, _)| *other == method) {
            return Some(*earlier);
        }
        routes.push((method, index));
        None
    }

    /// Finds the route of a request.
    ///
    /// `path` is the path of the URL as it was sent: percent-encoded, without
    /// the query. A trailing slash is ignored. A method unknown to [`Method`]
    /// is `None`. GET routes answer HEAD where HEAD is not declared itself.
    pub fn find(&self, method: Option<Method>, path: &str) -> Found {
        let Some(segments) = segments(path) else {
            return Found::Nothing;
        };
        let mut walk = Walk { method, parameters: Vec::new(), allow: BTreeSet::new() };
        if let Some(index) = walk.visit(&self.root, segments) {
            let parameters = walk.parameters.into_iter().map(Cow::into_owned).collect();
            return Found::Route { index, parameters };
        }
        if walk.allow.is_empty() {
            return Found::Nothing;
        }
        if walk.allow.contains(&Method::Get) {
            walk.allow.insert(Method::Head);
        }
        Found::OtherMethod { allow: walk.allow }
    }
}

/// Splits a path as it was sent into its decoded segments.
///
/// `None` if it doesn't start with a slash or a segment is not UTF-8: no
/// declared path is like that.
pub fn split(path: &str) -> Option<Vec<Cow<'_, str>>> {
    segments(path)?.map_or_else(|| Some(Vec::new()), decoded_all)
}

/// Returns the segments of a path as they were sent, between its slashes;
/// `Some(None)` if it has none.
fn segments(path: &str) -> Option<Option<&str>> {
    let inner = path.strip_prefix('/')?;
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    // `//` is not the root but an empty segment, which nothing matches.
    if inner.is_empty() { (path.len() <= 1).then_some(None) } else { Some(Some(inner)) }
}

fn decoded(segment: &str) -> Option<Cow<'_, str>> {
    if segment.contains('%') {
        percent_decode_str(segment).decode_utf8().ok()
    } else {
        Some(Cow::Borrowed(segment))
    }
}

fn decoded_all(segments: &str) -> Option<Vec<Cow<'_, str>>> {
    segments.split('/').map(decoded).collect()
}

/// One search through the tree.
struct Walk<'request> {
    method: Option<Method>,
    /// The values of the parameters so far.
    parameters: Vec<Cow<'request, str>>,
    /// The methods of matching paths that the walk passed.
    allow: BTreeSet<Method>,
}

impl<'request> Walk<'request> {
    /// Searches below `node` for the remaining segments of the request.
    fn visit(&mut self, node: &Node, segments: Option<&'request str>) -> Option<usize> {
        let Some(segments) = segments else {
            return self.choose(&node.ends);
        };
        let (segment, behind) = match segments.split_once('/') {
            Some((segment, behind)) => (decoded(segment)?, Some(behind)),
            None => (decoded(segments)?, None),
        };
        if let Some(next) = node.literals.get(segment.as_ref())
            && let Some(index) = self.visit(next, behind)
        {
            return Some(index);
        }
        if segment.is_empty() {
            return None;
        }
        if let Some(next) = &node.parameter {
            self.parameters.push(segment);
            if let Some(index) = self.visit(next, behind) {
                return Some(index);
            }
            self.parameters.pop();
        }
        if node.rest.is_empty() {
            return None;
        }
        let rest = decoded_all(segments)?.join("/");
        let index = self.choose(&node.rest)?;
        self.parameters.push(Cow::Owned(rest));
        Some(index)
    }

    fn choose(&mut self, routes: &[(Method, usize)]) -> Option<usize> {
        let with =
            |method| routes.iter().find(|(other, _)| *other == method).map(|(_, index)| *index);
        let found = match self.method {
            Some(Method::Head) => with(Method::Head).or_else(|| with(Method::Get)),
            Some(method) => with(method),
            None => None,
        };
        if found.is_none() {
            self.allow.extend(routes.iter().map(|(method, _)| *method));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::route_path::Overlap;

    fn table(routes: &[(Method, &str)]) -> RouteTable {
        let mut table = RouteTable::default();
        for (index, (method, path)) in routes.iter().enumerate() {
            assert_eq!(table.insert(*method, &path.parse().unwrap(), index), None);
        }
        table
    }

    fn route(index: usize, parameters: &[&str]) -> Found {
        let parameters = parameters.iter().map(|text| text.to_string()).collect();
        Found::Route { index, parameters }
    }

    #[test]
    fn the_more_specific_route_wins_whatever_the_order() {
        let table = table(&[
            (Method::Get, "/*rest"),
            (Method::Get, "/users/:id"),
            (Method::Get, "/users/me"),
            (Method::Post, "/users/:id"),
        ]);
        let get = |path| table.find(Some(Method::Get), path);
        assert_eq!(get("/users/me"), route(2, &[]));
        assert_eq!(get("/users/7"), route(1, &["7"]));
        assert_eq!(get("/users/7/photo"), route(0, &["users/7/photo"]));
        assert_eq!(get("/"), Found::Nothing);
        assert_eq!(table.find(Some(Method::Post), "/users/me"), route(3, &["me"]));
    }

    #[test]
    fn paths_are_decoded_and_may_end_with_a_slash() {
        let table =
            table(&[(Method::Get, "/users/:id"), (Method::Get, "/straße"), (Method::Get, "/")]);
        let get = |path| table.find(Some(Method::Get), path);
        assert_eq!(get("/users/a%2Fb"), route(0, &["a/b"]));
        assert_eq!(get("/stra%C3%9Fe/"), route(1, &[]));
        assert_eq!(get("/"), route(2, &[]));
        for path in ["", "*", "//", "/users/", "/users//", "/%FF", "users/1"] {
            assert_eq!(get(path), Found::Nothing, "{path}");
        }
    }

    #[test]
    fn get_answers_head_and_other_methods_are_listed() {
        let table = table(&[
            (Method::Get, "/a"),
            (Method::Put, "/:x"),
            (Method::Head, "/b"),
            (Method::Get, "/b"),
        ]);
        assert_eq!(table.find(Some(Method::Head), "/a"), route(0, &[]));
        assert_eq!(table.find(Some(Method::Head), "/b"), route(2, &[]));
        let allow = BTreeSet::from([Method::Get, Method::Head, Method::Put]);
        assert_eq!(
            table.find(Some(Method::Post), "/a"),
            Found::OtherMethod { allow: allow.clone() }
        );
        assert_eq!(table.find(None, "/a"), Found::OtherMethod { allow });
    }

    #[test]
    fn the_same_path_is_taken_once() {
        let mut table = table(&[(Method::Get, "/users/:id")]);
        assert_eq!(table.insert(Method::Get, &"/users/:name".parse().unwrap(), 1), Some(0));
    }

    /// Whether a path matches these segments, by its definition alone.
    fn takes(path: &RoutePath, request: &[&str]) -> bool {
        let mut rest = request;
        for segment in path.segments() {
            match (segment, rest) {
                (Segment::Rest(_), [_, ..]) => return true,
                (Segment::Literal(text), [first, more @ ..]) if text == first => rest = more,
                (Segment::Parameter(_), [_, more @ ..]) => rest = more,
                _ => return false,
            }
        }
        rest.is_empty()
    }

    fn any_path() -> impl Strategy<Value = String> {
        let segment = prop_oneof![Just("a"), Just("b"), Just("c"), Just(":"), Just("*")];
        prop::collection::vec(segment, 0..4).prop_map(|segments| {
            let end =
                segments.iter().position(|s| *s == "*").map_or(segments.len(), |rest| rest + 1);
            let named = segments[..end].iter().enumerate().map(|(place, text)| match *text {
                ":" | "*" => format!("/{text}p{place}"),
                text => format!("/{text}"),
            });
            Some(named.collect::<String>()).filter(|path| !path.is_empty()).unwrap_or("/".into())
        })
    }

    proptest! {
        /// The table, the overlap rule and the definition agree: of the paths
        /// that match a request, the one found lies inside all the others.
        #[test]
        fn the_table_agrees_with_the_definition(
            paths in prop::collection::vec(any_path(), 1..8),
            request in prop::collection::vec(prop_oneof![Just("a"), Just("b"), Just("d")], 0..4),
        ) {
            let paths: Vec<RoutePath> = paths.iter().map(|path| path.parse().unwrap()).collect();
            let mut table = RouteTable::default();
            let mut kept = Vec::new();
            for (index, path) in paths.iter().enumerate() {
                let clash = |other: &usize| matches!(paths[*other].overlap(path), Overlap::Same | Overlap::Crossing);
                if !kept.iter().any(clash) {
                    prop_assert_eq!(table.insert(Method::Get, path, index), None);
                    kept.push(index);
                }
            }
            let taking: Vec<usize> = kept.iter().copied().filter(|index| takes(&paths[*index], &request)).collect();
            match table.find(Some(Method::Get), &format!("/{}", request.join("/"))) {
                Found::Route { index, .. } => {
                    prop_assert!(taking.contains(&index));
                    for other in taking.into_iter().filter(|other| *other != index) {
                        prop_assert_eq!(paths[index].overlap(&paths[other]), Overlap::Inside);
                        let literals = |path: &RoutePath| path.segments().iter().filter(|s| matches!(s, Segment::Literal(_))).count();
                        prop_assert!(literals(&paths[index]) >= literals(&paths[other]));
                    }
                }
                found => {
                    prop_assert_eq!(found, Found::Nothing);
                    prop_assert_eq!(taking, Vec::<usize>::new());
                }
            }
        }
    }
}
