//! Folders, views and public files: whether they exist, and are reachable.

use super::suggestion::did_you_mean;
use super::{Code, Diagnostic};
use crate::method::Method;
use crate::model::{Action, Folder, Name, Public, Server, Unfit, Why};
use crate::route_table::Found;
use crate::route_table::RouteTable;

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    let folders = server
        .views
        .iter()
        .map(|views| &views.folder)
        .chain(server.publics.iter().map(|public| &public.folder));
    found.extend(folders.filter_map(folder_missing));
    two_views(server, found);
    two_publics(server, found);
    missing_views(server, found);
    for public in &server.publics {
        hidden_files(server, public, found);
    }
}

pub(super) fn folder_missing(folder: &Folder) -> Option<Diagnostic> {
    if folder.files.is_some() {
        return None;
    }
    let Folder { path, siblings, is_file, .. } = folder;
    let (message, help) = match is_file {
        true => {
            let parent = path.text.rsplit_once('/').map(|(parent, _)| parent);
            let help = match parent {
                Some(parent) => format!("name the folder that it is in: `{parent}`"),
                None => "put it into a folder of its own, and name that".to_owned(),
            };
            (format!("`{}` is a file, not a folder", path.text), help)
        }
        false => {
            let help = match did_you_mean(&path.text, siblings.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "folders are relative to the crate's `Cargo.toml`; make it, or change the \
                         path"
                    .to_owned(),
            };
            (format!("there is no folder `{}`", path.text), help)
        }
    };
    Some(Diagnostic::new(Code::NoFolder, folder.path.place, message, help))
}

/// Returns what to say of what is at this path, or above it, and isn't a file with
/// a text, and what helps.
pub(super) fn unfit(folder: &Folder, path: &str) -> Option<(String, &'static str)> {
    let Unfit { path, why } = folder.unfit(path)?;
    let unreadable;
    let (is, help) = match why {
        Why::Link => {
            ("is a symbolic link, which is not followed", "put what it leads to in its place")
        }
        Why::Hidden => ("is hidden", "give it a name that doesn't begin with a dot"),
        Why::Folder => ("is a folder, not a file", "give it another name, and make the file"),
        Why::Special => ("is not a regular file", "make it one"),
        Why::NotText => ("is not UTF-8", "save it in that encoding"),
        Why::Unreadable(reason) => {
            unreadable = format!("can't be read: {reason}");
            (unreadable.as_str(), "let the compiler read it")
        }
    };
    Some((format!("`{}/{path}` {is}", folder.path.text.trim_end_matches('/')), help))
}

fn two_views(server: &Server, found: &mut Vec<Diagnostic>) {
    for (index, later) in server.views.iter().enumerate() {
        if let Some(earlier) =
            server.views[..index].iter().find(|other| other.head.meets(&later.head))
        {
            let message = "`views` is declared twice";
            let help = "keep all views in one folder; it may have folders of its own";
            found.push(
                Diagnostic::new(Code::ViewsTwice, later.head.noun, message, help)
                    .other(earlier.head.noun, "first declared here"),
            );
        }
    }
}

fn two_publics(server: &Server, found: &mut Vec<Diagnostic>) {
    for (index, later) in server.publics.iter().enumerate() {
        let same = |other: &&Public| other.head.meets(&later.head) && other.prefix == later.prefix;
        if let Some(earlier) = server.publics[..index].iter().find(same) {
            let message = format!("public files under `{}` are declared twice", later.prefix);
            let help = "give one a prefix of its own: `public \"/files\" \"folder\";`";
            found.push(
                Diagnostic::new(Code::PublicTwice, later.prefix_place, message, help)
                    .other(earlier.prefix_place, "first declared here"),
            );
        }
    }
}

fn missing_views(server: &Server, found: &mut Vec<Diagnostic>) {
    for route in &server.routes {
        let Action::View(view) = &route.action else {
            continue;
        };
        let Some(views) = server.views.first() else {
            if !server.incomplete {
                let message = format!("view `{}` has no folder to be in", view.text);
                let help = "add `views \"views\";` and put the file there";
                found.push(Diagnostic::new(Code::NoViews, view.place, message, help));
            }
            continue;
        };
        // A missing folder is reported itself.
        if views.folder.files.is_none()
            || server.views.iter().any(|views| views.names().any(|name| name == view.text))
        {
            continue;
        }
        found.push(missing_view(&views.folder, view));
    }
}

/// Returns what to say of a view that isn't among the files of a folder.
pub(super) fn missing_view(folder: &Folder, view: &Name) -> Diagnostic {
    let Name { text: view, place } = view;
    let without_end = view.strip_suffix(".html").unwrap_or(view);
    let file = format!("{without_end}.html");
    let names = folder.files().filter_map(|file| file.path.strip_suffix(".html"));
    let path = &folder.path.text;
    let (message, help) = match (unfit(folder, &file), did_you_mean(without_end, names)) {
        (Some((unfit, help)), _) => {
            (format!("there is no view `{view}`: {unfit}"), help.to_owned())
        }
        (None, meant) => {
            let help = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("make the file `{path}/{file}`"),
            };
            (format!("there is no view `{view}` in `{path}`"), help)
        }
    };
    Diagnostic::new(Code::NoView, *place, message, help)
}

/// Finds files whose requests a route answers at every endpoint. One report for
/// each route, however many files it hides.
fn hidden_files(server: &Server, public: &Public, found: &mut Vec<Diagnostic>) {
    let mut table = RouteTable::default();
    for (index, route) in server.routes.iter().enumerate() {
        let answers = route.methods().any(|method| method == Method::Get);
        if answers && route.endpoints.is_empty() && route.head.meets(&public.head) {
            table.insert(Method::Get, &route.path, index);
        }
    }
    let mut hidden = vec![Vec::new(); server.routes.len()];
    for file in public.folder.files() {
        let path = public.path_of(file);
        if let Found::Route { index, .. } = table.find(Some(Method::Get), &path) {
            hidden[index].push((file, path));
        }
    }
    for (route, hidden) in server.routes.iter().zip(hidden) {
        let Some((file, path)) = hidden.first() else {
            continue;
        };
        let more = match hidden.len() {
            1 => String::new(),
            several => format!(", and {} more", several - 1),
        };
        let message = format!(
            "route `{}` hides the public file `{}`{more}",
            route.title(),
            public.folder.path_of(file)
        );
        let help =
            format!("the route answers `{path}`; remove one of them, or give the files a prefix");
        found.push(
            Diagnostic::new(Code::HiddenFile, public.folder.path.place, message, help)
                .other(route.path_place, "this route takes its requests"),
        );
    }
}
