//! What the template of a `View` needs.

use pode_core::check::{Code, did_you_mean, missing_folder, missing_view};
use pode_core::page::{Judged, Missing, Templates};
use proc_macro2::{Ident, TokenStream};
use syn::LitStr;

use super::Named;
use super::fields::Variables;
use crate::diagnostic::Mistakes;
use crate::expand::folder::tracked;
use crate::files;
use crate::resolve::views::is_outside;

/// Where views are, unless `folder` says so.
const FOLDER: &str = "views";

/// Checks that the view is there and gets its variables. Returns what tracks the
/// files that were read.
pub(super) fn check(
    ident: &Ident,
    named: &Named,
    variables: &Variables,
    mistakes: &mut Mistakes,
) -> Option<TokenStream> {
    let (view, span) = (named.view.value(), named.view.span());
    let folder = named.folder.as_ref().map_or_else(|| FOLDER.to_owned(), LitStr::value);
    let folder = folder.trim_end_matches('/');
    let folder_span = named.folder.as_ref().map_or(span, LitStr::span);
    if folder.is_empty() || is_outside(folder) {
        let message = format!("folder `{folder}` is not inside this crate");
        let help = "write a path relative to the crate's `Cargo.toml`";
        mistakes.add(Code::FolderOutside, folder_span, message, help);
        return None;
    }
    if let Some((message, help)) = files::unknown_crate(&format!("folder `{folder}`")) {
        mistakes.add(Code::NoFolder, folder_span, message, help);
        return None;
    }
    let file = format!("{view}.html");
    if files::text(folder, &file).is_none() {
        let elsewhere = match &named.folder {
            Some(_) => "",
            None => "; `#[view(\"…\", folder = \"…\")]` names another folder than `views`",
        };
        let (code, span, (message, help)) = match files::below(folder) {
            None => {
                let missing = missing_folder(folder, &files::folders_beside(folder));
                (Code::NoFolder, folder_span, missing)
            }
            Some(files) => {
                let names = files.iter().filter_map(|file| file.path.strip_suffix(".html"));
                (Code::NoView, span, missing_view(&view, folder, names))
            }
        };
        mistakes.add(code, span, message, help + elsewhere);
        return None;
    }
    let mut templates = Templates::new(|path| files::text(folder, path));
    let given: Vec<&str> = variables.names.iter().map(String::as_str).collect();
    let missing = templates.missing(&file, &given, Judged::Bodies);
    for Missing { file, line, name, locals } in missing.iter().filter(|_| !variables.and_others) {
        let message = format!(
            "view `{folder}/{file}:{line}` needs `{name}`, which no field of `{ident}` gives"
        );
        let known = given.iter().copied().chain(locals.iter().map(String::as_str));
        let help = match did_you_mean(name, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!(
                "add a field `{name}`, or write `{{{{ {name} | default(\"\") }}}}` if it may be missing"
            ),
        };
        mistakes.add(Code::ViewVariable, span, message, help);
    }
    tracked(templates.files().map(|file| format!("{folder}/{file}")))
}
