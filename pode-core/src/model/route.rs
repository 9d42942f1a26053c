//! Routes as meant.

use super::{Head, Name, Place};
use crate::method::Method;
use crate::route_path::RoutePath;

/// Requests of some methods on one path, and what answers them.
#[derive(Debug)]
pub struct Route {
    /// What every declaration has.
    pub head: Head,
    /// The methods, and where each stands; at least one.
    pub methods: Vec<(Method, Place)>,
    /// The path.
    pub path: RoutePath,
    /// Where the path stands.
    pub path_place: Place,
    /// What the handler takes behind its event, in order.
    pub arguments: Vec<Argument>,
    /// What answers.
    pub action: Action,
    /// The endpoints it serves; none means all that speak HTTP.
    pub endpoints: Vec<Name>,
    /// The limits that are named here.
    pub limits: Vec<Name>,
}

impl Route {
    /// Returns the methods that it answers; GET stands for HEAD, too.
    pub fn methods(&self) -> impl Iterator<Item = Method> {
        self.methods.iter().map(|(method, _)| *method)
    }

    /// Returns the route as messages call it: `GET /users/:id`.
    pub fn title(&self) -> String {
        let methods: Vec<&str> = self.methods().map(Method::as_str).collect();
        format!("{} {}", methods.join(", "), self.path)
    }
}

/// What answers a request.
#[derive(Debug)]
pub enum Action {
    /// A view, by its name.
    View(Name),
    /// Another address, which may hold the path's parameters: `/users/:id`.
    Redirect(Name),
    /// A function or closure of the user's.
    Handler,
}

/// What a handler takes from the request.
#[derive(Debug)]
pub struct Argument {
    /// The name as written.
    pub name: Name,
    /// The part of the request that the name stands for.
    pub source: Source,
}

/// A part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// What the path holds in place of the parameter of that name.
    Path,
    /// The pairs behind the `?` of the URL.
    Query,
    /// A body of form fields.
    Form,
    /// A body of JSON.
    Json,
    /// A body of form fields or of JSON.
    Data,
    /// A body as it is.
    Body,
    /// A body in parts.
    Multipart,
}

impl Source {
    /// Returns what an argument of this name takes.
    pub fn of(name: &str) -> Source {
        match name {
            "query" => Source::Query,
            "form" => Source::Form,
            "json" => Source::Json,
            "data" => Source::Data,
            "body" => Source::Body,
            "multipart" => Source::Multipart,
            _ => Source::Path,
        }
    }

    /// Tells whether it reads the body, which can be read once.
    pub fn is_body(self) -> bool {
        !matches!(self, Source::Path | Source::Query)
    }
}
