//! Routes: parses methods, paths, arguments and actions.

use std::iter;

use pode_core::Method;
use pode_core::check::{Code, help_with_choices};
use pode_core::model::{Action, Argument, Head, Integer, Place, Route, Source};

use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{GenericArgument, PathArguments, Type};

use super::Resolver;
use super::options::ENDPOINT;
use crate::shown::shown;
use crate::syntax;

/// Types of Rust that serde reads from one value, or from one without a name.
const WITHOUT_FIELDS: [&str; 19] = [
    "String", "str", "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize",
    "u8", "u16", "u32", "u64", "u128", "usize", "PathBuf",
];

impl Resolver<'_> {
    pub(super) fn route(&mut self, head: Head, written: &syntax::Route) -> Option<Route> {
        let methods = self.methods(&written.methods);
        let path = self.path(&written.path);
        let options = self.options(&written.options);
        let options = self.misspelled(&written.options, "a route", &[ENDPOINT]).and(options);
        let options = self.limits_inside(&written.options).and(options);
        let options = self.origins(&written.options).and(options);
        let limits = self.limits(&written.options);
        let endpoints = self.endpoint_names(&written.options);
        let arguments = self.arguments(&written.arguments);
        // With another path, they may be its parameters.
        let fields = path.as_ref().and_then(|_| self.fields(&written.arguments));
        let owned = self.owned(written.arguments.iter().map(|argument| &argument.ty));
        let closure = match &written.action {
            syntax::Action::Handler(handler) => {
                let arguments: Vec<_> =
                    written.arguments.iter().map(|argument| argument.name.to_string()).collect();
                let arguments = arguments.iter().map(String::as_str);
                let names: Vec<&str> = iter::once("event").chain(arguments).collect();
                self.closure(handler, &names)
            }
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
            endpoints: closure.and(fields).and(owned).and(options).and(endpoints)?,
            limits: limits?,
        })
    }

    /// Reports a type that borrows: what a handler is given is its own.
    pub(super) fn owned<'written>(
        &mut self,
        types: impl IntoIterator<Item = &'written Type>,
    ) -> Option<()> {
        let mut understood = Some(());
        for ty in types {
            if let Type::Reference(reference) = ty {
                let owned = match &*reference.elem {
                    Type::Path(path) if path.path.is_ident("str") => "String".to_owned(),
                    Type::Slice(slice) => format!("Vec<{}>", shown(&slice.elem)),
                    other => shown(other),
                };
                let message = format!("a handler gets a value of its own, never a `{}`", shown(ty));
                let help = format!("write `{owned}`");
                understood = self.mistake(Code::BorrowedArgument, ty.span(), message, help);
            }
        }
        understood
    }

    pub(super) fn arguments(&mut self, written: &[syntax::Argument]) -> Vec<Argument> {
        let argument = |argument: &syntax::Argument| {
            let name = self.word(&argument.name);
            let integer = match &argument.ty {
                Type::Path(ty) => {
                    ty.path.get_ident().and_then(|ident| Integer::named(&ident.to_string()))
                }
                _ => None,
            };
            Argument { source: Source::of(&name.text), name, integer }
        };
        written.iter().map(argument).collect()
    }

    /// Reports queries and forms of a type that has no fields: no request would
    /// ever fit.
    fn fields(&mut self, written: &[syntax::Argument]) -> Option<()> {
        let mut understood = Some(());
        for argument in written {
            let ty = &argument.ty;
            let (what, raw) = match Source::of(&argument.text()) {
                Source::Query => ("a query", "the query as it comes is `event.query()`"),
                Source::Form => ("a form", "the body as it comes is `body: String`"),
                _ => continue,
            };
            if has_no_fields(ty) {
                let message = format!("{what} has fields, so it is never a `{}`", shown(ty));
                let help = format!(
                    "write a struct that derives `Deserialize`, or `HashMap<String, String>`; {raw}"
                );
                understood = self.mistake(Code::NoFields, ty.span(), message, help);
            }
        }
        understood
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

/// Tells whether no pairs of names and values can be read as this type; if in
/// doubt, no.
fn has_no_fields(ty: &Type) -> bool {
    let path = match ty {
        Type::Path(path) => &path.path,
        Type::Reference(reference) => return has_no_fields(&reference.elem),
        _ => return false,
    };
    let Some(last) = path.segments.last() else { return false };
    let PathArguments::AngleBracketed(inner) = &last.arguments else {
        return WITHOUT_FIELDS.iter().any(|name| last.ident == name)
            && (path.segments.len() == 1 || path.to_token_stream().to_string().starts_with("std"));
    };
    let holds =
        ["Option", "Vec", "HashSet", "BTreeSet", "Box"].iter().any(|name| last.ident == name);
    let inner = inner.args.first();
    holds && matches!(inner, Some(GenericArgument::Type(inner)) if has_no_fields(inner))
}
