//! Mounted filters: declarations under the prefix of one.

use super::{Code, Diagnostic};
use crate::model::{Head, Place, Server};
use crate::route_path::RoutePath;

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    for (index, mount) in server.mounts.iter().enumerate() {
        for earlier in server.mounts[..index].iter().filter(|other| other.head.meets(&mount.head)) {
            found.extend(mount_in_mount(
                (&earlier.prefix, earlier.prefix_place),
                (&mount.prefix, mount.prefix_place),
            ));
        }
        found.extend(public_in_mount(server, &mount.head, &mount.prefix, mount.prefix_place));
    }
}

fn lies_under(inner: &RoutePath, outer: &RoutePath) -> bool {
    inner.segments().starts_with(outer.segments())
}

fn mount_in_mount(
    (first, first_place): (&RoutePath, Place),
    (second, second_place): (&RoutePath, Place),
) -> Option<Diagnostic> {
    let (inner, outer) = match () {
        () if lies_under(second, first) => (second, first),
        () if lies_under(first, second) => (first, second),
        () => return None,
    };
    let message = format!("`{inner}` lies under `{outer}`, which takes its requests");
    let help = "move one of them, or mount both filters at once, joined by `or`";
    Some(
        Diagnostic::new(Code::UnderMount, second_place, message, help)
            .other(first_place, "the other mount"),
    )
}

/// A mount answers everything under it, including 404s.
fn public_in_mount(
    server: &Server,
    head: &Head,
    mount: &RoutePath,
    mount_place: Place,
) -> Vec<Diagnostic> {
    let under = server
        .publics
        .iter()
        .filter(|public| public.head.meets(head) && lies_under(&public.prefix, mount));
    let judge = |public: &crate::model::Public| {
        let message = format!("`{}` lies under `{mount}`, which takes its requests", public.prefix);
        let help = "give the files another prefix, or move the mount";
        Diagnostic::new(Code::UnderMount, public.prefix_place, message, help)
            .other(mount_place, "the mount")
    };
    under.map(judge).collect()
}
