//! Views: the folder and its files.

use pode_core::check::Code;
use pode_core::model::{Folder, Head, Views};
use syn::LitStr;

use super::Resolver;
use crate::{files, syntax};

impl Resolver<'_> {
    pub(super) fn views(&mut self, head: Head, written: &syntax::Views) -> Option<Views> {
        let mut folder = self.folder(&written.folder)?;
        let views = folder.files().map(|file| file.path.clone());
        let views = views.filter(|path| path.ends_with(".html")).collect();
        let (templates, _) = files::read_templates(&mut folder, views);
        Some(Views { head, folder, templates })
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
        let mut folder = files::folder(path);
        files::read_pages(&mut folder);
        Some(folder)
    }
}

/// Tells whether a path leads out of the crate.
pub(crate) fn is_outside(path: &str) -> bool {
    path.starts_with('/') || path.split(['/', '\\']).any(|part| part == "..")
}
