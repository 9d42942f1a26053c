//! The only access to the user's files.
//!
//! Paths are relative to the crate that is being compiled. Only the folders and
//! files that a declaration names are read.

use std::fs::{self, FileType};
use std::path::Path;

use pode_core::model::File;

/// The file extensions of pages, scripts and styles, which are read.
const READ: [&str; 5] = [".html", ".htm", ".js", ".mjs", ".css"];

/// The folder of what programs look for at a fixed address (RFC 8615).
const WELL_KNOWN: &str = ".well-known";

/// Says why no file can be looked for, and what to do, if the folder of the crate isn't
/// known; `what` is missing, such as "folder `views`".
pub(crate) fn unknown_crate(what: &str) -> Option<(String, &'static str)> {
    crate_folder().is_none().then(|| {
        let message = format!("{what} can't be looked for: CARGO_MANIFEST_DIR isn't set");
        (message, "build by cargo, or set it to the folder of the crate's `Cargo.toml`")
    })
}

/// Returns the files below a folder, sorted by their paths; `None` if there is
/// no such folder. Pages, scripts and styles come with their text.
///
/// Hidden files and folders are left out: editors and version control create
/// them, and nobody wants to publish them. Only the folder [`WELL_KNOWN`] is for
/// everyone. Symbolic links, which may lead out of the folder, and names that are
/// not UTF-8 are left out, too.
pub(crate) fn below(folder: &str) -> Option<Vec<File>> {
    let root = crate_folder()?.join(folder);
    if !root.is_dir() {
        return None;
    }
    let mut files = Vec::new();
    collect(&root, "", &mut files);
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Some(files)
}

/// Returns the content of a file; `None` if it can't be read.
pub(crate) fn read(file: &str) -> Option<Vec<u8>> {
    fs::read(crate_folder()?.join(file)).ok()
}

/// Returns the text of a file below a folder, if it is one of those that
/// [`below`] finds.
#[cfg(feature = "views")]
pub(crate) fn text(folder: &str, path: &str) -> Option<String> {
    let folder = crate_folder()?.join(folder).canonicalize().ok()?;
    let is_plain = |part: &str| !part.is_empty() && !part.starts_with('.');
    let file = folder.join(path);
    // A link anywhere in the path changes the canonical path.
    let is_one = path.split('/').all(is_plain) && file.canonicalize().ok()? == file;
    is_one.then(|| fs::read_to_string(file).ok())?
}

/// Tells whether there is such a file, without reading it.
pub(crate) fn is_there(file: &str) -> bool {
    crate_folder().is_some_and(|root| root.join(file).is_file())
}

/// Returns the folders in the parent folder of this path.
pub(crate) fn folders_beside(folder: &str) -> Vec<String> {
    beside(folder, FileType::is_dir)
}

/// Returns the files in the parent folder of this path.
pub(crate) fn files_beside(file: &str) -> Vec<String> {
    beside(file, FileType::is_file)
}

fn beside(path: &str, is_kind: fn(&FileType) -> bool) -> Vec<String> {
    let (parent, prefix) = match path.rsplit_once('/') {
        Some((parent, _)) => (parent, format!("{parent}/")),
        None => ("", String::new()),
    };
    let Some(parent) = crate_folder().map(|root| root.join(parent)) else {
        return Vec::new();
    };
    let entries = entries(&parent).filter(|entry| entry.is_visible() && is_kind(&entry.kind));
    let mut entries: Vec<String> = entries.map(|entry| format!("{prefix}{}", entry.name)).collect();
    entries.sort();
    entries
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<File>) {
    for entry in entries(folder) {
        let is_well_known = prefix.is_empty() && entry.kind.is_dir() && entry.name == WELL_KNOWN;
        if !entry.is_visible() && !is_well_known {
            continue;
        }
        let path = format!("{prefix}{}", entry.name);
        if entry.kind.is_dir() {
            collect(&folder.join(&entry.name), &format!("{path}/"), files);
        } else if entry.kind.is_file() {
            let is_read = READ.iter().any(|end| path.ends_with(end));
            let text = is_read.then(|| fs::read_to_string(folder.join(&entry.name)).ok());
            files.push(File { path, text: text.flatten() });
        }
    }
}

struct Entry {
    name: String,
    /// Of the entry itself: a link is neither a file nor a folder.
    kind: FileType,
}

impl Entry {
    fn is_visible(&self) -> bool {
        !self.name.starts_with('.')
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = Entry> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        Some(Entry { name: entry.file_name().into_string().ok()?, kind: entry.file_type().ok()? })
    })
}

/// Cargo sets this for each crate it compiles.
#[cfg(not(test))]
fn crate_folder() -> Option<std::path::PathBuf> {
    std::env::var_os("CARGO_MANIFEST_DIR").map(std::path::PathBuf::from)
}

#[cfg(test)]
use of_tests::crate_folder;
#[cfg(test)]
pub(crate) use of_tests::{in_crate, in_no_crate};

/// Tests act as crates elsewhere, several at once.
#[cfg(test)]
mod of_tests {
    use std::cell::RefCell;
    use std::path::{Path, PathBuf};

    thread_local! {
        static CRATE_FOLDER: RefCell<Option<PathBuf>> =
            RefCell::new(Some(env!("CARGO_MANIFEST_DIR").into()));
    }

    pub(super) fn crate_folder() -> Option<PathBuf> {
        CRATE_FOLDER.with_borrow(Option::clone)
    }

    /// Runs a function as if for a crate in that folder.
    pub(crate) fn in_crate<T>(folder: &Path, run: impl FnOnce() -> T) -> T {
        run_in(Some(folder.to_owned()), run)
    }

    /// Does so as if the folder weren't known.
    pub(crate) fn in_no_crate<T>(run: impl FnOnce() -> T) -> T {
        run_in(None, run)
    }

    fn run_in<T>(folder: Option<PathBuf>, run: impl FnOnce() -> T) -> T {
        let before = CRATE_FOLDER.replace(folder);
        let value = run();
        CRATE_FOLDER.set(before);
        value
    }
}
