//! Arguments: the parts of a request, or of a signal's path, that handlers
//! take.

use super::suggestion::did_you_mean;
use super::{Code, Diagnostic};
use crate::model::{Action, Argument, Name, Place, Route, Server, Signal};
use crate::route_path::RESERVED_NAMES;
use crate::route_path::RoutePath;

/// The most arguments that the handler of a route takes after its event.
pub const MAX_ARGUMENTS: usize = 8;

/// The most parameters that the path of a signal has.
pub const MAX_PARAMETERS: usize = 4;

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    for route in &server.routes {
        too_many(route, found);
        // A view gets its parameters as variables; a handler must take them.
        let all = matches!(route.action, Action::Handler);
        of(route).judge(all, found);
        bodies(route, found);
    }
    for signal in &server.signals {
        let before = found.len();
        of_signal(signal).judge(true, found);
        if found.len() == before {
            found.extend(other_order(signal));
        }
    }
}

/// The arguments declared after a path, and the possible ones.
struct Arguments<'server> {
    /// The noun of the declaration.
    noun: &'static str,
    path: &'server RoutePath,
    path_place: Place,
    arguments: &'server [Argument],
    /// Possible arguments that are not in the path.
    others: &'static [&'static str],
}

fn of(route: &Route) -> Arguments<'_> {
    let Route { path, path_place, arguments, .. } = route;
    let others = &RESERVED_NAMES;
    Arguments { noun: "route", path, path_place: *path_place, arguments, others }
}

fn of_signal(signal: &Signal) -> Arguments<'_> {
    let Signal { path, path_place, arguments, .. } = signal;
    Arguments { noun: "signal", path, path_place: *path_place, arguments, others: &[] }
}

impl Arguments<'_> {
    /// Checks the arguments' names against the path; `all` tells whether each
    /// parameter must be taken.
    fn judge(&self, all: bool, found: &mut Vec<Diagnostic>) {
        let mut misspelled = 0;
        for (index, argument) in self.arguments.iter().enumerate() {
            let name = &argument.name;
            if let Some(earlier) = earlier(self.arguments, index) {
                let message = format!("argument `{}` stands twice", name.text);
                found.push(
                    Diagnostic::new(Code::ArgumentTwice, name.place, message, "remove one")
                        .other(earlier.place, "first stands here"),
                );
            } else if !self.choices().any(|choice| choice == name.text) {
                found.push(self.no_such_parameter(name));
                misspelled += 1;
            }
        }
        // As many as were misspelled are reported above.
        for parameter in self.untaken().filter(|_| all).skip(misspelled) {
            let message = format!("nothing takes the path parameter `{parameter}`");
            let help = format!("add the argument `{parameter}: Type` behind the path");
            found.push(Diagnostic::new(Code::ParameterNotTaken, self.path_place, message, help));
        }
    }

    fn choices(&self) -> impl Iterator<Item = &str> {
        self.path.parameters().chain(self.others.iter().copied())
    }

    /// Returns the path parameters that no argument takes.
    fn untaken(&self) -> impl Iterator<Item = &str> {
        let is = |name: &str| self.arguments.iter().any(|argument| argument.name.text == name);
        self.path.parameters().filter(move |parameter| !is(parameter))
    }

    fn no_such_parameter(&self, name: &Name) -> Diagnostic {
        let mut untaken = self.untaken();
        let only = untaken.next().filter(|_| untaken.next().is_none());
        let example = || format!("{}/:{}", self.path.to_string().trim_end_matches('/'), name.text);
        let help = match did_you_mean(&name.text, self.choices()).or(only) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if RESERVED_NAMES.contains(&&*name.text) => {
                "a signal has no request to take it from; what clients send is the message"
                    .to_owned()
            }
            None if self.others.is_empty() => {
                format!("arguments are path parameters, as in `{}`", example())
            }
            None => format!(
                "arguments are path parameters, as in `{}`, or one of {}",
                example(),
                self.others.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            ),
        };
        let (noun, path) = (self.noun, self.path);
        let message = format!("{noun} path `{path}` has no parameter `{}`", name.text);
        Diagnostic::new(Code::UnknownArgument, name.place, message, help)
    }
}

/// Returns the earlier argument of the same name.
fn earlier(arguments: &[Argument], index: usize) -> Option<&Name> {
    let earlier = arguments[..index].iter().map(|argument| &argument.name);
    earlier.into_iter().find(|earlier| earlier.text == arguments[index].name.text)
}

fn too_many(route: &Route, found: &mut Vec<Diagnostic>) {
    if let Some(first_too_many) = route.arguments.get(MAX_ARGUMENTS) {
        let message = format!("a handler takes at most {MAX_ARGUMENTS} arguments");
        let help = "take several values by one `query`, `form` or `json`, or by `event.parameter(\"name\")`";
        let place = first_too_many.name.place;
        found.push(Diagnostic::new(Code::TooManyArguments, place, message, help));
    }
}

/// A body can be taken once, from a request that has one.
fn bodies(route: &Route, found: &mut Vec<Diagnostic>) {
    let mut earlier_body: Option<&Name> = None;
    for (index, argument) in route.arguments.iter().enumerate() {
        let name = &argument.name;
        if !argument.source.is_body() || earlier(&route.arguments, index).is_some() {
            continue;
        }
        if let Some(method) = route.methods().find(|method| !method.carries_body()) {
            let message = format!(
                "a {method} request has no body, so `{}` can't be taken from it",
                name.text
            );
            let help = "use `query` for what stands behind the `?`, or answer POST";
            found.push(Diagnostic::new(Code::NoBody, name.place, message, help));
        }
        match earlier_body {
            None => earlier_body = Some(name),
            Some(first) => {
                let message = format!("`{}` and `{}` both take the body", first.text, name.text);
                let help = "a body can be read once; keep one of them";
                found.push(
                    Diagnostic::new(Code::TwoBodies, name.place, message, help)
                        .other(first.place, "the body is taken here"),
                );
            }
        }
    }
}

/// The values of a signal's path are a tuple in the order of the path, so
/// handlers must take them in this order, too.
fn other_order(signal: &Signal) -> Option<Diagnostic> {
    let parameters = signal.path.parameters();
    let mut pairs = parameters.zip(&signal.arguments);
    let (_, first) = pairs.find(|(parameter, argument)| *parameter != argument.name.text)?;
    let path = &signal.path;
    let message =
        format!("argument `{}` stands at another place than in `{path}`", first.name.text);
    let order: Vec<String> = signal.path.parameters().map(|name| format!("`{name}`")).collect();
    let help = format!("write the arguments in the order of the path: {}", order.join(", "));
    Some(Diagnostic::new(Code::ArgumentOrder, first.name.place, message, help))
}
