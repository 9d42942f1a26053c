//! The only access to the user's files.
//!
//! Paths are relative to the crate that is being compiled. Only the folders and
//! files that a declaration names are read.

use std::fs::{self, FileType};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use pode_core::model::{File, Folder, Name, Unfit, Why};
use pode_core::page::includes;

/// The file extensions of pages, scripts and styles.
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

/// Looks what is below a folder, without reading it.
///
/// Hidden files and folders are left out: editors and version control create
/// them, and nobody wants to publish them. Only the folder [`WELL_KNOWN`] is for
/// everyone. Symbolic links, which may lead out of the folder, and names that are
/// not UTF-8 are left out, too.
pub(crate) fn folder(path: Name) -> Folder {
    let (siblings, is_file) = (folders_beside(&path.text), is_there(&path.text));
    let mut folder = Folder { path, files: None, unfit: Vec::new(), siblings, is_file };
    if let Some(root) = root(&folder).filter(|root| root.is_dir()) {
        let mut files = Vec::new();
        collect(&root, "", &mut files, &mut folder.unfit);
        files.sort_by(|one, other| one.path.cmp(&other.path));
        folder.files = Some(files);
    }
    folder
}

/// Reads the pages, scripts and styles of a folder.
pub(crate) fn read_pages(folder: &mut Folder) {
    read_texts(folder, |path| READ.iter().any(|end| path.ends_with(end)));
}

/// Reads these templates of a folder, and those that they extend, include and
/// import. Returns the paths of all of them, and whether some have names that only
/// the running server knows: then each view of the folder is among them, and any
/// other file may be.
pub(crate) fn read_templates(folder: &mut Folder, mut paths: Vec<String>) -> (Vec<String>, bool) {
    let mut are_computed = false;
    let mut read = 0;
    while let Some(path) = paths.get(read) {
        read_texts(folder, |other| other == path);
        let text = folder.file(path).and_then(|file| file.text.as_deref());
        for include in text.map(includes).unwrap_or_default() {
            are_computed |= include.names.is_empty();
            let views = || folder.files().filter(|file| file.path.ends_with(".html"));
            let meant = match include.names.is_empty() {
                true => views().map(|file| file.path.clone()).collect(),
                false => include.names,
            };
            for path in meant {
                if folder.file(&path).is_some() && !paths.contains(&path) {
                    paths.push(path);
                }
            }
        }
        read += 1;
    }
    (paths, are_computed)
}

fn read_texts(folder: &mut Folder, is_meant: impl Fn(&str) -> bool) {
    let Some(root) = root(folder) else { return };
    let files = folder.files.iter_mut().flatten();
    for file in files.filter(|file| file.text.is_none() && is_meant(&file.path)) {
        match fs::read_to_string(root.join(&file.path)) {
            // A server leaves out byte order marks, too.
            Ok(text) => file.text = Some(text.trim_start_matches('\u{feff}').to_owned()),
            Err(error) => {
                let why = match error.kind() {
                    ErrorKind::InvalidData => Why::NotText,
                    _ => Why::Unreadable(error.to_string()),
                };
                folder.unfit.push(Unfit { path: file.path.clone(), why });
            }
        }
    }
}

fn root(folder: &Folder) -> Option<PathBuf> {
    Some(crate_folder()?.join(&folder.path.text))
}

/// Returns the content of a file; `None` if it can't be read.
pub(crate) fn read(file: &str) -> Option<Vec<u8>> {
    fs::read(crate_folder()?.join(file)).ok()
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

fn collect(folder: &Path, prefix: &str, files: &mut Vec<File>, unfit: &mut Vec<Unfit>) {
    for entry in entries(folder) {
        let is_well_known = prefix.is_empty() && entry.kind.is_dir() && entry.name == WELL_KNOWN;
        let path = format!("{prefix}{}", entry.name);
        let why = if !entry.is_visible() && !is_well_known {
            Why::Hidden
        } else if entry.kind.is_dir() {
            collect(&folder.join(&entry.name), &format!("{path}/"), files, unfit);
            Why::Folder
        } else if entry.kind.is_file() {
            files.push(File { path, text: None });
            continue;
        } else if entry.kind.is_symlink() {
            Why::Link
        } else {
            Why::Special
        };
        unfit.push(Unfit { path, why });
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
fn crate_folder() -> Option<PathBuf> {
    std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from)
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
