//! The only door to the user's files.
//!
//! Paths are relative to the crate whose code is being compiled. Nothing but
//! the folders and files that a declaration names is looked at.

use std::fs::{self, FileType};
use std::path::{Path, PathBuf};

/// Returns the files below a folder, as paths with `/`, sorted; `None` if there
/// is no such folder.
///
/// Hidden files and folders are left out: editors and version control put them
/// there, and nobody means to publish them. So are symbolic links, which may
/// lead out of the folder, and names that are not UTF-8.
pub(crate) fn below(folder: &str) -> Option<Vec<String>> {
    let root = crate_folder()?.join(folder);
    if !root.is_dir() {
        return None;
    }
    let mut files = Vec::new();
    collect(&root, "", &mut files);
    files.sort();
    Some(files)
}

/// Returns what a file holds; `None` if there is none that can be read.
pub(crate) fn read(file: &str) -> Option<Vec<u8>> {
    fs::read(crate_folder()?.join(file)).ok()
}

/// Tells whether there is such a file, without looking into it.
pub(crate) fn is_there(file: &str) -> bool {
    crate_folder().is_some_and(|root| root.join(file).is_file())
}

/// Returns the folders that lie in the same folder as this one would.
pub(crate) fn folders_beside(folder: &str) -> Vec<String> {
    beside(folder, FileType::is_dir)
}

/// Returns the files that lie in the same folder as this one would.
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
    let entries = visible_entries(&parent).filter(|entry| is_kind(&entry.kind));
    let mut entries: Vec<String> = entries.map(|entry| format!("{prefix}{}", entry.name)).collect();
    entries.sort();
    entries
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<String>) {
    for entry in visible_entries(folder) {
        let path = format!("{prefix}{}", entry.name);
        if entry.kind.is_dir() {
            collect(&folder.join(&entry.name), &format!("{path}/"), files);
        } else if entry.kind.is_file() {
            files.push(path);
        }
    }
}

struct Entry {
    name: String,
    /// Of the entry itself: a link is neither a file nor a folder.
    kind: FileType,
}

fn visible_entries(folder: &Path) -> impl Iterator<Item = Entry> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            Some(Entry {
                name: entry.file_name().into_string().ok()?,
                kind: entry.file_type().ok()?,
            })
        })
        .filter(|entry| !entry.name.starts_with('.'))
}

/// Cargo sets this for each crate it compiles.
fn crate_folder() -> Option<PathBuf> {
    std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from)
}
