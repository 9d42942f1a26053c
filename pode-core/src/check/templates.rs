//! Templates: whether they can be parsed, find what they include, and are given
//! what they need.

use minijinja::Environment;

use super::files::{folder_missing, missing_view, unfit};
use super::suggestion::did_you_mean;
use super::{Code, Diagnostic, positions, values};
use crate::model::{Action, File, Folder, Name, Place, Server, Views};
use crate::page::{
    self, Hidden, Include, Judged, Missing, PositionCall, Templates, Unknown, Word, Words,
};

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    for views in &server.views {
        let Views { folder, templates, .. } = views;
        unreadable(folder, templates, found);
        missing_variables(server, views, found);
        unknown_words(folder, templates, found);
    }
}

/// Returns the mistakes in a view that no server need declare, and in the templates
/// that it is made of; `given` are its variables, the fields of `ident`. What pages
/// request is the server's, so that isn't checked.
pub fn check_view(
    folder: &Folder,
    view: &Name,
    templates: &[String],
    (ident, given): (&str, &[&str]),
) -> Vec<Diagnostic> {
    if let Some(missing) = folder_missing(folder) {
        return vec![missing];
    }
    let file = format!("{}.html", view.text);
    if folder.file(&file).is_none() {
        return vec![missing_view(folder, view)];
    }
    let mut found = Vec::new();
    unreadable(folder, templates, &mut found);
    unknown_words(folder, templates, &mut found);
    // A server may have a policy of its own.
    values::check(folder, templates, true, &mut found);
    positions::check(folder, templates, None, &mut found);
    let by = format!("a field of `{ident}`");
    hidden_functions(folder, &file, view.place, given, &by, &mut found);
    found
}

/// Returns those of these templates that are text.
fn texts<'a>(
    folder: &'a Folder,
    templates: &'a [String],
) -> impl Iterator<Item = (&'a File, &'a str)> {
    let files = templates.iter().filter_map(|path| folder.file(path));
    files.filter_map(|file| Some((file, file.text.as_deref()?)))
}

/// Finds templates that aren't text, can't be parsed, or include what isn't there.
fn unreadable(folder: &Folder, templates: &[String], found: &mut Vec<Diagnostic>) {
    for file in templates.iter().filter_map(|path| folder.file(path)) {
        let Some(text) = &file.text else {
            found.extend(not_text(folder, file));
            continue;
        };
        match broken(folder, file, text) {
            Some(diagnostic) => found.push(diagnostic),
            None => {
                let includes = page::includes(text);
                found.extend(missing_includes(folder, file, &includes));
                found.extend(extends_itself(folder, file, &includes));
            }
        }
    }
}

/// Finds calls of filters, tests and functions that aren't there.
fn unknown_words(folder: &Folder, templates: &[String], found: &mut Vec<Diagnostic>) {
    let words = Words::of(texts(folder, templates).map(|(_, text)| text));
    for (file, text) in texts(folder, templates) {
        for it in words.unknown_in(text) {
            let place = format!("{}:{}", folder.path_of(file), it.line);
            found.push(unknown_word(folder.path.place, &place, &it));
        }
    }
}

fn unknown_word(place: Place, view: &str, Unknown { kind, name, .. }: &Unknown) -> Diagnostic {
    let (kind_shown, list) = match kind {
        Word::Filter => ("filter", "filters"),
        Word::Test => ("test", "tests"),
        Word::Function => ("function", "functions"),
    };
    let known = page::known(*kind);
    let named_elsewhere = NAMES_ELSEWHERE.iter().find(|(other, ..)| other == name);
    let meant = did_you_mean(name, known.iter().map(String::as_str))
        .or_else(|| Some(named_elsewhere?.1).filter(|_| *kind == Word::Filter));
    let help = match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if ADDRESSES.contains(&name.as_str()) => {
            "write the address itself, as the browser asks for it: `/style.css`".to_owned()
        }
        None => {
            format!(
                "templates have the {list} of `https://docs.rs/minijinja/latest/minijinja/{list}`"
            )
        }
    };
    let message =
        format!("view `{view}` calls `{name}`, but there is no {kind_shown} of this name");
    Diagnostic::new(Code::TemplateWord, place, message, help)
}

/// Finds calls of functions that the variables of a view hide.
fn hidden_functions(
    folder: &Folder,
    view: &str,
    place: Place,
    given: &[&str],
    by: &str,
    found: &mut Vec<Diagnostic>,
) {
    let text = |path: &str| folder.file(path)?.text.as_deref();
    for Hidden { file, line, name } in page::hidden(view, given, text) {
        let folder = folder.path.text.trim_end_matches('/');
        let message = format!(
            "view `{folder}/{file}:{line}` calls `{name}(…)`, but there `{name}` is {by}, \
             which hides the function"
        );
        let help =
            format!("give it another name; or print it, without parentheses: `{{{{ {name} }}}}`");
        let is_position = name == "position";
        let code = if is_position { Code::NoPosition } else { Code::TemplateWord };
        found.push(Diagnostic::new(code, place, message, help));
    }
}

/// What filters of other template languages are called here.
const NAMES_ELSEWHERE: [(&str, &str); 7] = [
    ("json", "tojson"),
    ("json_encode", "tojson"),
    ("escapejs", "tojson"),
    ("size", "length"),
    ("len", "length"),
    ("raw", "safe"),
    ("mark_safe", "safe"),
];

/// What functions of other frameworks that return addresses are called.
const ADDRESSES: [&str; 6] = ["url_for", "static", "asset", "url", "get_url", "static_url"];

/// Finds variables that the views of routes, and pages of errors, surely need and
/// don't get.
fn missing_variables(server: &Server, views: &Views, found: &mut Vec<Diagnostic>) {
    let text = |path: &str| views.folder.file(path)?.text.clone();
    let mut templates = Templates::new(text);
    for route in server.routes.iter().filter(|route| route.head.meets(&views.head)) {
        let Action::View(view) = &route.action else { continue };
        let given: Vec<&str> = route.path.parameters().collect();
        let file = format!("{}.html", view.text);
        let by = format!("a parameter of `{}`", route.path);
        hidden_functions(&views.folder, &file, view.place, &given, &by, found);
        let calls = page::positions(&file, |path| views.folder.file(path)?.text.as_deref());
        for missing in templates.missing(&file, &given, Judged::Always) {
            let is_told = |call: &PositionCall| {
                call.variable.as_ref() == Some(&missing.name)
                    && (&call.file, call.line) == (&missing.file, missing.line)
                    && positions::constant(server, call).is_some()
            };
            if calls.iter().any(is_told) {
                continue;
            }
            let by = format!("the path `{}` doesn't give", route.path);
            let help = format!(
                "answer by a handler that returns a struct which derives `View`, or write \
                 `{{{{ {} | default(\"\") }}}}`",
                missing.name
            );
            found.push(lacks(views, view.place, &missing, &given, &by, &help));
        }
    }
    for file in views.folder.files().filter(|file| is_of_error(&file.path)) {
        for missing in templates.missing(&file.path, &PAGE_OF_ERROR, Judged::Always) {
            let (by, help) =
                ("no page of an error is given", "such a page has `status` and `text`");
            let place = views.folder.path.place;
            found.push(lacks(views, place, &missing, &PAGE_OF_ERROR, by, help));
        }
    }
}

/// The variables of the pages that replace the texts of errors.
const PAGE_OF_ERROR: [&str; 2] = ["status", "text"];

/// Tells whether a view is shown for a status: `errors/404.html`.
fn is_of_error(path: &str) -> bool {
    let status = path.strip_prefix("errors/").and_then(|name| name.strip_suffix(".html"));
    status.is_some_and(|status| status.len() == 3 && status.bytes().all(|c| c.is_ascii_digit()))
}

fn lacks(
    views: &Views,
    place: Place,
    missing: &Missing,
    given: &[&str],
    by: &str,
    help: &str,
) -> Diagnostic {
    let Missing { file, line, name, locals } = missing;
    let folder = views.folder.path.text.trim_end_matches('/');
    let message = format!("view `{folder}/{file}:{line}` needs `{name}`, which {by}");
    let known = given.iter().copied().chain(locals.iter().map(String::as_str));
    let help = match did_you_mean(name, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => help.to_owned(),
    };
    Diagnostic::new(Code::ViewVariable, place, message, help)
}

fn not_text(folder: &Folder, file: &File) -> Option<Diagnostic> {
    let (unfit, help) = unfit(folder, &file.path)?;
    Some(Diagnostic::new(Code::Template, folder.path.place, format!("view {unfit}"), help))
}

/// Parses a template as the start of the server does.
fn broken(folder: &Folder, file: &File, text: &str) -> Option<Diagnostic> {
    let error = Environment::new().template_from_str(text).err()?;
    let place = match error.line() {
        Some(line) => format!("{}:{line}", folder.path_of(file)),
        None => folder.path_of(file),
    };
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let message = format!("view `{place}` can't be read: {detail}");
    let help = "views are minijinja templates: `{{ name }}`, `{% if name %} … {% endif %}`";
    Some(Diagnostic::new(Code::Template, folder.path.place, message, help))
}

/// Finds out whether a template extends itself, by way of others or not.
fn extends_itself(folder: &Folder, file: &File, includes: &[Include]) -> Option<Diagnostic> {
    let first = includes.iter().find(|include| include.is_extended)?;
    let mut chain: Vec<String> = Vec::new();
    let mut next = first.names.first()?.clone();
    while next != file.path {
        // A circle that this one only leads to is told where it is.
        if chain.contains(&next) {
            return None;
        }
        let text = folder.file(&next)?.text.as_deref()?;
        chain.push(next);
        let parent = page::includes(text).into_iter().find(|include| include.is_extended)?;
        next = parent.names.into_iter().next()?;
    }
    let place = format!("{}:{}", folder.path_of(file), first.line);
    let by = match chain.last() {
        Some(last) => format!(", by way of `{last}`"),
        None => String::new(),
    };
    let message = format!("view `{place}` extends itself{by}");
    let help = "a layout extends nothing, or another layout that doesn't lead back to it";
    Some(Diagnostic::new(Code::TemplateIncludes, folder.path.place, message, help))
}

/// Returns the template of that name which is in another folder, or whose ending
/// is left out; names are relative to the folder of views.
fn meant_file<'a>(name: &str, mut files: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let is_end = |one: &str, other: &str| {
        one.strip_suffix(other).is_some_and(|begin| begin.is_empty() || begin.ends_with('/'))
    };
    let with_end = format!("{name}.html");
    files.find(|file| is_end(file, name) || is_end(file, &with_end) || is_end(name, file))
}

/// Finds included, extended and imported templates that are missing.
fn missing_includes(folder: &Folder, file: &File, includes: &[Include]) -> Vec<Diagnostic> {
    let is_there = |name: &str| folder.file(name).is_some();
    let missing = includes.iter().filter(|include| {
        // Of several, the first that exists is used.
        !include.may_be_missing && !include.names.iter().any(|name| is_there(name))
    });
    let judge = |include: &Include| {
        let name = include.names.first()?;
        let place = format!("{}:{}", folder.path_of(file), include.line);
        let path = &folder.path.text;
        let files = || folder.files().map(|file| file.path.as_str());
        let meant = || meant_file(name, files()).or_else(|| did_you_mean(name, files()));
        let (lack, help) = match unfit(folder, name) {
            Some((unfit, help)) => (format!("but {unfit}"), help.to_owned()),
            None => {
                let help = match meant() {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("make the file `{path}/{name}`"),
                };
                (format!("which is not in `{path}`"), help)
            }
        };
        let message = format!("view `{place}` needs `{name}`, {lack}");
        Some(Diagnostic::new(Code::TemplateIncludes, folder.path.place, message, help))
    };
    missing.filter_map(judge).collect()
}
