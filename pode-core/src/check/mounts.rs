//! Mounted filters: prefixes that get in each other's way.

use super::Diagnostic;
use crate::model::{Mount, Server};

pub(super) fn check(server: &Server, found: &mut Vec<Diagnostic>) {
    for (index, later) in server.mounts.iter().enumerate() {
        for earlier in server.mounts[..index].iter().filter(|other| other.head.meets(&later.head)) {
            found.extend(one_under_the_other(earlier, later));
        }
    }
}

fn one_under_the_other(earlier: &Mount, later: &Mount) -> Option<Diagnostic> {
    let lies_under =
        |inner: &Mount, outer: &Mount| inner.prefix.segments().starts_with(outer.prefix.segments());
    let (inner, outer) = match () {
        () if lies_under(later, earlier) => (later, earlier),
        () if lies_under(earlier, later) => (earlier, later),
        () => return None,
    };
    let message =
        format!("`{}` lies under `{}`, which takes its requests", inner.prefix, outer.prefix);
    Some(
        Diagnostic::new(later.prefix_place, message)
            .help("move one of them, or mount both filters at once, joined by `or`")
            .other(earlier.prefix_place, "the other mount"),
    )
}
