//! Mounted filters: parses prefixes.

use pode_core::check::Code;
use pode_core::model::{Head, Mount};

use super::Resolver;
use crate::syntax;

impl Resolver<'_> {
    pub(super) fn mount(&mut self, head: Head, written: &syntax::Mount) -> Option<Mount> {
        let prefix = self.fixed_path(&written.prefix, "mount prefix")?;
        if prefix.segments().is_empty() {
            return self.mistake(
                Code::MountAtRoot,
                written.prefix.span(),
                "a filter at `/` would take every request",
                "mount it under a prefix, as in `mount \"/api\" filter;`",
            );
        }
        Some(Mount { head, prefix, prefix_place: self.places.add(written.prefix.span()) })
    }
}
