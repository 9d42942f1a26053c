//! Routes: parses methods, paths, arguments and actions.

use pode_core::Method;
use pode_core::check::{Code, help_with_choices};
use pode_core::model::{Action, Argument, Head, Place, Route, Source};

use super::Resolver;
use super::options::ENDPOINT;
use crate::syntax;

impl Resolver<'_> {
    pub(super) fn route(&mut self, head: Head, written: &syntax::Route) -> Option<Route> {
        let methods = self.methods(&written.methods);
        let path = self.path(&written.path);
        let options = self.options(&written.options);
        let options = self.misspelled(&written.options, "a route", &[ENDPOINT]).and(options);
        let options = self.origins(&written.options).and(options);
        let limits = self.limits(&written.options);
        let endpoints = self.endpoint_names(&written.options);
        let arguments = self.arguments(&written.arguments);
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
            endpoints: closure.and(options).and(endpoints)?,
            limits: limits?,
        })
    }

    pub(super) fn arguments(&mut self, written: &[syntax::Argument]) -> Vec<Argument> {
        let argument = |argument: &syntax::Argument| {
            let name = self.word(&argument.name);
            Argument { source: Source::of(&name.text), name }
        };
        written.iter().map(argument).collect()
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
}
