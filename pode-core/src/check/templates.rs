//! Templates: whether they can be parsed, and find what they include.

use minijinja::Environment;

use super::suggestion::did_you_mean;
use super::{Code, Diagnostic};
use crate::model::{File, Server, Views};
use crate::page;

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    for views in &server.views {
        for file in views.folder.files().filter(|file| file.path.ends_with(".html")) {
            let Some(text) = &file.text else {
                found.push(not_text(views, file));
                continue;
            };
            match broken(views, file, text) {
                Some(diagnostic) => found.push(diagnostic),
                None => found.extend(missing_includes(views, file, text)),
            }
        }
    }
}

fn not_text(views: &Views, file: &File) -> Diagnostic {
    let message = format!("view `{}` is not UTF-8", views.folder.path_of(file));
    let help = "save it in that encoding";
    Diagnostic::new(Code::Template, views.folder.path.place, message, help)
}

/// Parses a template as the start of the server does.
fn broken(views: &Views, file: &File, text: &str) -> Option<Diagnostic> {
    let error = Environment::new().template_from_str(text).err()?;
    let place = match error.line() {
        Some(line) => format!("{}:{line}", views.folder.path_of(file)),
        None => views.folder.path_of(file),
    };
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let message = format!("view `{place}` can't be read: {detail}");
    let help = "views are minijinja templates: `{{ name }}`, `{% if name %} … {% endif %}`";
    Some(Diagnostic::new(Code::Template, views.folder.path.place, message, help))
}

/// Finds included, extended and imported templates that are missing.
fn missing_includes(views: &Views, file: &File, text: &str) -> Vec<Diagnostic> {
    let is_there = |name: &str| views.folder.files().any(|file| file.path == name);
    let missing = page::includes(text).into_iter().filter(|include| {
        // Of several, the first that exists is used.
        !include.may_be_missing && !include.names.iter().any(|name| is_there(name))
    });
    let judge = |include: page::Include| {
        let name = include.names.first()?;
        let place = format!("{}:{}", views.folder.path_of(file), include.line);
        let files = views.folder.files().map(|file| file.path.as_str());
        let help = match did_you_mean(name, files) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("make the file `{}/{name}`", views.folder.path.text),
        };
        let message =
            format!("view `{place}` needs `{name}`, which is not in `{}`", views.folder.path.text);
        Some(Diagnostic::new(Code::TemplateIncludes, views.folder.path.place, message, help))
    };
    missing.filter_map(judge).collect()
}
