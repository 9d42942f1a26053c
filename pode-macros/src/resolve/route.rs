//! Routes: methods, paths, arguments and actions understood.

use pode_core::check::{Code, help_with_choices};
use pode_core::model::{Action, Argument, Head, Place, Route, Source};
use pode_core::route_path::RoutePathError;
use pode_core::{Method, RoutePath};
use syn::LitStr;

use super::Resolver;
use super::options::ENDPOINT;
use crate::syntax;

impl Resolver<'_> {
    pub(super) fn route(&mut self, head: Head, written: &syntax::Route) -> Option<Route> {
        let methods = self.methods(&written.methods);
        let path = self.path(&written.path);
        self.unknown_options(&written.options);
        let endpoints = self.endpoint_names(&written.options);
        let argument = |argument: &syntax::Argument| {
            let name = self.word(&argument.name);
            Argument { source: Source::of(&name.text), name }
        };
        let arguments = written.arguments.iter().map(argument).collect();
        let closure = match &written.action {
            syntax::Action::Handler(handler) => self.closure(handler),
            _ => Some(()),
        };
        let action = match &written.action {
            syntax::Action::View { template, .. } => Action::View(self.text(template)),
            syntax::Action::Redirect { target, .. } => Action::Redirect(self.text(target)),
            syntax::Action::Handler(_) => Action::Handler,
        };
        Some(Route {
            head,
            methods: methods?,
            path: path?,
            path_place: self.places.add(written.path.span()),
            arguments,
            action,
            endpoints: closure.and(endpoints)?,
        })
    }

    fn methods(&mut self, written: &[syn::Ident]) -> Option<Vec<(Method, Place)>> {
        let mut methods: Vec<(Method, Place)> = Vec::new();
        let mut all_known = true;
        for word in written {
            let text = word.to_string();
            let place = self.places.add(word.span());
            match Method::parse(&text) {
                Some(method) if methods.iter().any(|(other, _)| *other == method) => {
                    self.mistakes.add(
                        Code::MethodTwice,
                        word.span(),
                        format!("method `{text}` stands twice"),
                        "remove one",
                    );
                }
                Some(method) => methods.push((method, place)),
                None => {
                    let help =
                        help_with_choices(&text, &Method::ALL.map(Method::as_str), "methods are");
                    let message = format!("unknown method `{text}`");
                    self.mistakes.add(Code::UnknownMethod, word.span(), message, help);
                    all_known = false;
                }
            }
        }
        all_known.then_some(methods)
    }

    /// Routes have no struct of options yet in which rustc would look.
    fn unknown_options(&mut self, options: &syntax::Options) {
        for field in options.fields.iter().filter(|field| field.name != ENDPOINT) {
            let name = field.name.to_string();
            let help = help_with_choices(&name, &[ENDPOINT], "a route has the option");
            let message = format!("unknown option `{name}`");
            self.mistakes.add(Code::UnknownOption, field.name.span(), message, help);
        }
    }

    fn path(&mut self, written: &LitStr) -> Option<RoutePath> {
        match written.value().parse() {
            Ok(path) => Some(path),
            Err(error) => {
                self.mistake(code(&error), written.span(), error.to_string(), error.help())
            }
        }
    }

    /// Understands a path that takes no parameters; `what` says whose it is.
    pub(super) fn fixed_path(&mut self, written: &LitStr, what: &str) -> Option<RoutePath> {
        let path: RoutePath = match written.value().parse() {
            Ok(path) => path,
            Err(error) => {
                let message = error.to_string().replacen("route path", what, 1);
                return self.mistake(code(&error), written.span(), message, error.help());
            }
        };
        if let Some(parameter) = path.parameters().next() {
            let message = format!("{what} can't hold a parameter like `{parameter}`");
            return self.mistake(Code::NotFixed, written.span(), message, "write the whole path");
        }
        Some(path)
    }
}

fn code(error: &RoutePathError) -> Code {
    match error {
        RoutePathError::NotParameter { .. } | RoutePathError::ReservedName { .. } => {
            Code::Parameter
        }
        RoutePathError::RepeatedName { .. } => Code::ParameterTwice,
        RoutePathError::RestNotLast { .. } => Code::RestNotLast,
        _ => Code::Path,
    }
}
