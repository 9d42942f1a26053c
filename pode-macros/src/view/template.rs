//! The template of a `View`: what it needs, and where the server finds it.

use pode_core::check::{Code, check_view, did_you_mean};
use pode_core::model::Name;
use pode_core::page::{Judged, Missing, Templates};
use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::LitStr;

use super::Named;
use super::fields::Variables;
use crate::diagnostic::{Mistakes, Places};
use crate::expand::folder as expanded;
use crate::files;
use crate::resolve::views::is_outside;

/// Where views are, unless `folder` says so.
const FOLDER: &str = "views";

/// Checks that the view, and all that it is made of, can be shown with its
/// variables. Returns the code that shows it from this crate's folder, whatever
/// folder the server has.
pub(super) fn shown(
    ident: &Ident,
    named: &Named,
    variables: &Variables,
    mistakes: &mut Mistakes,
) -> Option<TokenStream> {
    let (view, span) = (&named.view.value(), named.view.span());
    let path = named.folder.as_ref().map_or_else(|| FOLDER.to_owned(), LitStr::value);
    let path = path.trim_end_matches('/');
    let folder_span = named.folder.as_ref().map_or(span, LitStr::span);
    if path.is_empty() || is_outside(path) {
        let message = format!("folder `{path}` is not inside this crate");
        let help = "write a path relative to the crate's `Cargo.toml`";
        mistakes.add(Code::FolderOutside, folder_span, message, help);
        return None;
    }
    if let Some((message, help)) = files::unknown_crate(&format!("folder `{path}`")) {
        mistakes.add(Code::NoFolder, folder_span, message, help);
        return None;
    }
    let mut places = Places::default();
    let mut name = |text: &str, span| Name { text: text.to_owned(), place: places.add(span) };
    let (view_name, folder_name) = (name(view, span), name(path, folder_span));
    let file = format!("{view}.html");
    let mut folder = files::folder(folder_name);
    let (templates, are_computed) = files::read_templates(&mut folder, vec![file.clone()]);
    if folder.files.is_some() {
        // A mistake in a file is one of this view.
        folder.path.place = view_name.place;
    }
    let given: Vec<&str> = variables.names.iter().map(String::as_str).collect();
    for mut found in check_view(&folder, &view_name, &templates, (&ident.to_string(), &given)) {
        let is_elsewhere = matches!(found.code, Code::NoFolder | Code::NoView);
        if is_elsewhere && named.folder.is_none() && folder.unfit(&file).is_none() {
            found.help += "; `#[view(\"…\", folder = \"…\")]` names another folder than `views`";
        }
        mistakes.add_found(found, &places);
    }
    if !mistakes.is_empty() {
        return None;
    }
    let mut read = Templates::new(|path| folder.file(path)?.text.clone());
    let missing = read.missing(&file, &given, Judged::Bodies);
    for Missing { file, line, name, locals } in missing.iter().filter(|_| !variables.and_others) {
        let message = format!(
            "view `{path}/{file}:{line}` needs `{name}`, which no field of `{ident}` gives"
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
    drop(read);
    if let Some(files) = folder.files.as_mut().filter(|_| !are_computed) {
        files.retain(|file| templates.contains(&file.path));
    }
    let (tracked, folder) =
        (expanded::read(&folder, &TokenStream::new()), expanded::folder(&folder));
    Some(quote! {
        #tracked
        static VIEWS: ::pode::__private::LazyLock<::pode::__private::Views> =
            ::pode::__private::LazyLock::new(|| ::pode::__private::Views::of(#folder));
        ::pode::__private::show(&VIEWS, #view, &self, __event)
    })
}
