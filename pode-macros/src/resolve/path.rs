//! Paths: of routes, of signals, and of declarations at a fixed path.

use pode_core::RoutePath;
use pode_core::check::{Code, MAX_PARAMETERS};
use pode_core::route_path::{RoutePathError, Segment};
use syn::LitStr;

use super::Resolver;

impl Resolver<'_> {
    /// Parses the path of a route.
    pub(super) fn path(&mut self, written: &LitStr) -> Option<RoutePath> {
        match written.value().parse() {
            Ok(path) => Some(path),
            Err(error) => {
                self.mistake(code(&error), written.span(), error.to_string(), error.help())
            }
        }
    }

    /// Parses the path of a signal, or of a family of them.
    pub(super) fn signal_path(&mut self, written: &LitStr) -> Option<RoutePath> {
        let path = match written.value().parse::<RoutePath>() {
            Ok(path) => path,
            Err(
                RoutePathError::RestNotLast { segment, .. }
                | RoutePathError::NotParameter { segment },
            ) if segment.starts_with('*') => return self.catch_all(written, &segment),
            Err(RoutePathError::OtherNotation { segment, meant: Some(meant) })
                if meant.contains('*') =>
            {
                return self.catch_all(written, &segment);
            }
            Err(error) => return self.no_path(written, "signal path", &error),
        };
        if let Some(Segment::Rest(name)) = path.segments().last() {
            return self.catch_all(written, &format!("*{name}"));
        }
        if path.parameters().count() > MAX_PARAMETERS {
            let message = format!("signal path `{path}` has more than {MAX_PARAMETERS} parameters");
            let help = "take several values by one parameter, or as a part of the messages";
            return self.mistake(Code::TooManyParameters, written.span(), message, help);
        }
        Some(path)
    }

    /// Parses a path that allows no parameters; `what` names its declaration.
    pub(super) fn fixed_path(&mut self, written: &LitStr, what: &str) -> Option<RoutePath> {
        let path: RoutePath = match written.value().parse() {
            Ok(path) => path,
            Err(RoutePathError::OtherNotation { segment, .. }) => {
                return self.not_fixed(written, what, &segment);
            }
            Err(error) => return self.no_path(written, what, &error),
        };
        if let Some(parameter) = path.parameters().next() {
            return self.not_fixed(written, what, parameter);
        }
        Some(path)
    }

    fn not_fixed<T>(&mut self, written: &LitStr, what: &str, parameter: &str) -> Option<T> {
        let message = format!("{what} can't hold a parameter like `{parameter}`");
        self.mistake(Code::NotFixed, written.span(), message, "write the whole path")
    }

    fn catch_all<T>(&mut self, written: &LitStr, segment: &str) -> Option<T> {
        let message =
            format!("signal path `{}` can't hold the catch-all `{segment}`", written.value());
        let help = "a parameter takes one segment, as in `/rooms/:room`";
        self.mistake(Code::CatchAll, written.span(), message, help)
    }

    fn no_path<T>(&mut self, written: &LitStr, what: &str, error: &RoutePathError) -> Option<T> {
        let message = error.to_string().replacen("route path", what, 1);
        let help = match error {
            // Only a route has arguments for the query.
            RoutePathError::BadCharacter { character, .. } if character == "?" => {
                "leave that out; what stands behind `?` is no part of a path".to_owned()
            }
            _ => error.help(),
        };
        self.mistake(code(error), written.span(), message, help)
    }
}

fn code(error: &RoutePathError) -> Code {
    match error {
        RoutePathError::NotParameter { .. } | RoutePathError::ReservedName { .. } => {
            Code::Parameter
        }
        RoutePathError::OtherNotation { .. } => Code::OtherNotation,
        RoutePathError::RepeatedName { .. } => Code::ParameterTwice,
        RoutePathError::RestNotLast { .. } => Code::RestNotLast,
        _ => Code::Path,
    }
}
