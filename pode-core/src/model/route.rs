//! The model of routes.

use super::{Head, Name, Place};
use crate::method::Method;
use crate::route_path::RoutePath;

/// Requests of some methods on one path, and how they are answered.
#[derive(Debug)]
pub struct Route {
    /// The parts that every declaration has.
    pub head: Head,
    /// The methods, and where each stands; at least one.
    pub methods: Vec<(Method, Place)>,
    /// The path.
    pub path: RoutePath,
    /// Where the path stands.
    pub path_place: Place,
    /// The arguments that the handler takes after its event, in order.
    pub arguments: Vec<Argument>,
    /// How the route answers.
    pub action: Action,
    /// The endpoints it serves; empty means all that serve HTTP.
    pub endpoints: Vec<Name>,
    /// The limits that are named here.
    pub limits: Vec<Name>,
}

impl Route {
    /// Returns the declared methods; GET includes HEAD.
    pub fn methods(&self) -> impl Iterator<Item = Method> {
        self.methods.iter().map(|(method, _)| *method)
    }

    /// Returns the name of the route in messages: `GET /users/:id`.
    pub fn title(&self) -> String {
        let methods: Vec<&str> = self.methods().map(Method::as_str).collect();
        format!("{} {}", methods.join(", "), self.path)
    }
}

/// How a request is answered.
#[derive(Debug)]
pub enum Action {
    /// A view, by its name.
    View(Name),
    /// A redirect to another address, which may hold the path's parameters:
    /// `/users/:id`.
    Redirect(Name),
    /// A function or closure of the user's.
    Handler,
}

/// An argument that a handler takes from the request.
#[derive(Debug)]
pub struct Argument {
    /// The name as written.
    pub name: Name,
    /// The part of the request that the name stands for.
    pub source: Source,
    /// Its type, if that is one of Rust's integers.
    pub integer: Option<Integer>,
}

/// A type of integers.
#[derive(Clone, Copy, Debug)]
pub struct Integer {
    /// Its name.
    pub name: &'static str,
    parses: fn(&str) -> bool,
}

impl Integer {
    /// Returns the type of this name.
    pub fn named(name: &str) -> Option<Integer> {
        macro_rules! named {
            ($($ty:ident)*) => {
                match name {
                    $(stringify!($ty) => {
                        let parses = |text: &str| text.parse::<$ty>().is_ok();
                        Some(Integer { name: stringify!($ty), parses })
                    })*
                    _ => None,
                }
            };
        }
        named!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize)
    }

    /// Tells whether a text is such a number, as handlers are given it.
    pub fn parses(&self, text: &str) -> bool {
        (self.parses)(text)
    }
}

/// A part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The value of the path parameter of that name.
    Path,
    /// The pairs after the `?` of the URL.
    Query,
    /// A body of form fields.
    Form,
    /// A body of JSON.
    Json,
    /// A body of form fields or of JSON.
    Data,
    /// A body of any type, unparsed.
    Body,
    /// A body in parts.
    Multipart,
}

impl Source {
    /// Returns the source of an argument of this name.
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
