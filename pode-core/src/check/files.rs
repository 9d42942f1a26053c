//! Folders and views that must be there.

use super::Diagnostic;
use super::suggestion::did_you_mean;
use crate::model::{Action, Folder, Server};

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    let folders = server
        .views
        .iter()
        .map(|views| &views.folder)
        .chain(server.publics.iter().map(|public| &public.folder));
    found.extend(folders.filter_map(missing_folder));
    two_views(server, found);
    two_publics(server, found);
    missing_views(server, found);
}

fn missing_folder(folder: &Folder) -> Option<Diagnostic> {
    if folder.files.is_some() {
        return None;
    }
    let path = &folder.path;
    let help = match did_you_mean(&path.text, folder.siblings.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => {
            "folders are relative to the crate's `Cargo.toml`; make it, or change the path".into()
        }
    };
    Some(Diagnostic::new(path.place, format!("there is no folder `{}`", path.text)).help(help))
}

fn two_views(server: &Server, found: &mut Vec<Diagnostic>) {
    for (index, later) in server.views.iter().enumerate() {
        if let Some(earlier) =
            server.views[..index].iter().find(|other| other.head.meets(&later.head))
        {
            found.push(
                Diagnostic::new(later.head.noun, "`views` is declared twice")
                    .help("keep all views in one folder; it may have folders of its own")
                    .other(earlier.head.noun, "first declared here"),
            );
        }
    }
}

fn two_publics(server: &Server, found: &mut Vec<Diagnostic>) {
    for (index, later) in server.publics.iter().enumerate() {
        let same = |other: &&crate::model::Public| {
            other.head.meets(&later.head) && other.prefix == later.prefix
        };
        if let Some(earlier) = server.publics[..index].iter().find(same) {
            found.push(
                Diagnostic::new(
                    later.prefix_place,
                    format!("public files under `{}` are declared twice", later.prefix),
                )
                .help("give one a prefix of its own: `public \"/files\" \"folder\";`")
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
                found.push(
                    Diagnostic::new(
                        view.place,
                        format!("view `{}` has no folder to be in", view.text),
                    )
                    .help("add `views \"views\";` and put the file there"),
                );
            }
            continue;
        };
        // A folder that isn't there is reported itself.
        if views.folder.files.is_none()
            || server.views.iter().any(|views| views.names().any(|name| name == view.text))
        {
            continue;
        }
        let folder = &views.folder.path.text;
        let help = match did_you_mean(&view.text, views.names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("make the file `{folder}/{}.html`", view.text),
        };
        found.push(
            Diagnostic::new(view.place, format!("there is no view `{}` in `{folder}`", view.text))
                .help(help),
        );
    }
}
