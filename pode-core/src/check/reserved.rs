//! Paths that belong to pode itself.

use super::{Code, Diagnostic};
use crate::model::{Place, Public, Server};
use crate::route_path::RoutePath;
use crate::route_path::Segment;

/// The first segment of every path that pode reserves, for scripts and other
/// files that pages will find at every server.
pub const RESERVED_SEGMENT: &str = "_pode";

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    let routes = server.routes.iter().map(|route| (&route.path, route.path_place));
    let signals = server.signals.iter().map(|signal| (&signal.path, signal.path_place));
    let mounts = server.mounts.iter().map(|mount| (&mount.prefix, mount.prefix_place));
    let publics = server.publics.iter().map(|public| (&public.prefix, public.prefix_place));
    let paths = routes.chain(signals).chain(mounts).chain(publics);
    found.extend(paths.filter_map(|(path, place)| reserved(path, place)));
    found.extend(server.publics.iter().filter_map(reserved_file));
}

fn reserved(path: &RoutePath, place: Place) -> Option<Diagnostic> {
    match path.segments().first()? {
        Segment::Literal(first) if first == RESERVED_SEGMENT => {
            let message = format!("path `{path}` belongs to pode itself");
            let help = format!("begin it with anything but `/{RESERVED_SEGMENT}`");
            Some(Diagnostic::new(Code::ReservedPath, place, message, help))
        }
        _ => None,
    }
}

/// Finds the first file that would appear there.
fn reserved_file(public: &Public) -> Option<Diagnostic> {
    // A whole folder that appears there is already reported.
    if !public.prefix.segments().is_empty() {
        return None;
    }
    let is_reserved = |path: &str| path.split('/').next() == Some(RESERVED_SEGMENT);
    let file = public.folder.files().find(|file| is_reserved(&file.path))?;
    let (path, file) = (public.path_of(file), public.folder.path_of(file));
    let message = format!("path `{path}` of `{file}` belongs to pode itself");
    let help = format!("give the folder `{RESERVED_SEGMENT}` another name");
    Some(Diagnostic::new(Code::ReservedPath, public.folder.path.place, message, help))
}
