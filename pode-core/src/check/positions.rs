//! Positions that views ask for, by `position("/chat")`.

use super::site::{Answers, At, Site};
use super::suggestion::help_with_choices;
use super::{Code, Diagnostic};
use crate::model::{Folder, Server, Signal};
use crate::page::{PositionCall, UNKNOWN, positions};
use crate::route_path::{RoutePath, Segment};
use crate::route_table::split;

/// Finds calls in the views among these templates of a folder that no path fits, or,
/// where the server is known, whose signal has no position.
pub(super) fn check(
    folder: &Folder,
    templates: &[String],
    server: Option<(&Server, &Site<'_>)>,
    found: &mut Vec<Diagnostic>,
) {
    let text = |path: &str| folder.file(path)?.text.as_deref();
    let mut seen = Vec::new();
    for view in templates.iter().filter(|path| path.ends_with(".html")) {
        for call in positions(view, text) {
            // Several views may be made of it.
            if !seen.contains(&call) {
                found.extend(judge(folder, &call, server));
                seen.push(call);
            }
        }
    }
}

fn judge(
    folder: &Folder,
    call: &PositionCall,
    server: Option<(&Server, &Site<'_>)>,
) -> Option<Diagnostic> {
    let view = format!("view `{}:{}`", folder.path_of(folder.file(&call.file)?), call.line);
    let Some(path) = &call.path else {
        let code = &call.code;
        let message =
            format!("{view} calls `position({code})`, which takes the path of one signal");
        let help = "write the path as in an address: `position(\"/chat\")`, or of a family \
                    `position(\"/rooms/\" ~ room|urlencode)`";
        return Some(Diagnostic::new(Code::NoPosition, folder.path.place, message, help));
    };
    let (server, site) = server?;
    if let Some(signal) = constant(server, call) {
        let (code, name) = (&call.code, &signal.name.text);
        let message = format!(
            "{view} calls `position({code})`, but signal `{name}` is a constant of Rust, which \
             templates don't know"
        );
        let help = format!("write its path in quotes: `{}`", call_for(&signal.path));
        return Some(Diagnostic::new(Code::NoPosition, folder.path.place, message, help));
    }
    if path.starts_with(UNKNOWN) {
        return None;
    }
    let asked = split(path).unwrap_or_default();
    let asked: Vec<String> = asked.into_iter().map(Into::into).collect();
    let there = match path.starts_with('/') {
        true => site.at(At::OWN, true, &asked),
        false => Vec::new(),
    };
    let signals = there.iter().filter_map(|answers| match answers {
        Answers::Socket(signal) => Some(signal),
        Answers::Some(..) | Answers::All => None,
    });
    let shown = path.replace(UNKNOWN, "…");
    let Some(first) = signals.clone().next() else {
        let message =
            format!("{view} asks for the position of `{shown}`, where there is no signal");
        let known = site.paths(true, &asked).into_iter().map(|path| path.replace(UNKNOWN, "…"));
        let known = Vec::from_iter(known);
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let help = match known.is_empty() {
            true => {
                "declare it: `signal CHAT: Message = \"/chat\" { history_messages: 100 };`".into()
            }
            false => help_with_choices(&shown, &known, "signals are at"),
        };
        return Some(Diagnostic::new(Code::NoPosition, folder.path.place, message, help));
    };
    let name = &first.name.text;
    let mut segments = first.path.segments().iter().zip(&asked);
    let is_pattern = |(segment, asked): (&Segment, &String)| {
        matches!(segment, Segment::Parameter(_)) && (asked.starts_with(':') || asked.contains('{'))
    };
    if segments.any(is_pattern) {
        let message = format!(
            "{view} asks for the position of `{shown}`, the pattern of signal `{name}`, and not one \
             of its paths"
        );
        let help = format!("write what stands there: `{}`", call_for(&first.path));
        return Some(Diagnostic::new(Code::NoPosition, folder.path.place, message, help));
    }
    let has_numbers =
        |signal: &Signal| signal.history_messages != Some(0) || signal.presence != Some(0);
    if server.numbers_all() || signals.clone().any(|signal| has_numbers(signal)) {
        return None;
    }
    let message = format!(
        "{view} asks for the position of `{shown}`, but signal `{name}` keeps no messages, so it \
         has none"
    );
    let help = "declare it with `{ history_messages: 100 }`";
    Some(Diagnostic::new(Code::NoPosition, first.name.place, message, help))
}

/// Returns the signal whose constant stands in a call.
pub(super) fn constant<'server>(
    server: &'server Server,
    call: &PositionCall,
) -> Option<&'server Signal> {
    let variable = call.variable.as_ref()?;
    let is_constant = !variable.contains(char::is_lowercase);
    server.signals.iter().find(|signal| is_constant && signal.name.text == *variable)
}

/// Returns the call that asks for the position at a path, with variables named like its
/// parameters.
fn call_for(path: &RoutePath) -> String {
    let segment = |segment: &Segment| match segment {
        Segment::Literal(text) => format!("/{text}"),
        Segment::Parameter(name) | Segment::Rest(name) => format!("/\" ~ {name}|urlencode ~ \""),
    };
    let path: String = match path.segments() {
        [] => "/".to_owned(),
        segments => segments.iter().map(segment).collect(),
    };
    format!("position(\"{path}\")").replace(" ~ \"\"", "")
}
