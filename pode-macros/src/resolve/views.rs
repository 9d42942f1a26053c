//! Views: the folder and its files.

use pode_core::check::Code;
use pode_core::model::{Folder, Head, Views};
use syn::LitStr;

use super::Resolver;
use crate::{files, syntax};

impl Resolver<'_> {
    pub(super) fn views(&mut self, head: Head, written: &syntax::Views) -> Option<Views> {
        Some(Views { head, folder: self.folder(&written.folder)? })
    }

    /// Reads a folder, which need not exist.
    pub(super) fn folder(&mut self, written: &LitStr) -> Option<Folder> {
        let path = self.text(written);
        if path.text.is_empty() || is_outside(&path.text) {
            let message = format!("folder `{}` is not inside this crate", path.text);
            return self.mistake(
                Code::FolderOutside,
                written.span(),
                message,
                "write a path relative to the crate's `Cargo.toml`",
            );
        }
        if let Some((message, help)) = files::unknown_crate(&format!("folder `{}`", path.text)) {
            return self.mistake(Code::NoFolder, written.span(), message, help);
        }
        let (files, siblings) = (files::below(&path.text), files::folders_beside(&path.text));
        let is_file = files::is_there(&path.text);
        Some(Folder { path, files, siblings, is_file })
    }
}

/// Tells whether a path leads out of the crate.
pub(crate) fn is_outside(path: &str) -> bool {
    path.starts_with('/') || path.split(['/', '\\']).any(|part| part == "..")
}
