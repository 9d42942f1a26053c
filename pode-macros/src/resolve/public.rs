//! Public files: the prefix and the folder.

use pode_core::RoutePath;
use pode_core::check::Code;
use pode_core::model::{Head, Public};

use super::Resolver;
use crate::syntax;

impl Resolver<'_> {
    pub(super) fn public(&mut self, head: Head, written: &syntax::Public) -> Option<Public> {
        if let Some(first) = &written.prefix
            && !first.value().starts_with('/')
            && written.folder.value().starts_with('/')
        {
            let (folder, prefix) = (first.value(), written.folder.value());
            let message = "the prefix of public files stands before their folder";
            let help = format!("write `public \"{prefix}\" \"{folder}\"`");
            return self.mistake(Code::Path, first.span(), message, help);
        }
        let prefix = match &written.prefix {
            Some(prefix) => self.fixed_path(prefix, "a public prefix"),
            None => Some(RoutePath::root()),
        };
        let options = self.options(&written.options);
        let folder = self.folder(&written.folder);
        let place = written.prefix.as_ref().unwrap_or(&written.folder).span();
        Some(Public {
            head,
            prefix: prefix?,
            prefix_place: self.places.add(place),
            folder: options.and(folder)?,
        })
    }
}
