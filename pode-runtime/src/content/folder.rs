//! Folders of the user: on disk while developing, in the binary afterwards.
//!
//! Both forms give the same files: no hidden files, and none behind symbolic
//! links.

use std::borrow::Cow;
use std::fs;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;

/// A folder that a declaration names.
#[derive(Clone, Debug)]
pub struct Folder {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    /// Read each time, so that a changed file shows at once.
    Disk(PathBuf),
    /// Sorted by path.
    Embedded(&'static [(&'static str, &'static [u8])]),
}

impl Folder {
    /// Makes a folder with this path, whose files are read when they are
    /// requested.
    pub fn on_disk(path: impl Into<PathBuf>) -> Folder {
        Folder { source: Source::Disk(path.into()) }
    }

    /// Makes a folder of these files, sorted by their path below it.
    pub const fn embedded(files: &'static [(&'static str, &'static [u8])]) -> Folder {
        Folder { source: Source::Embedded(files) }
    }

    /// Returns whether files may change while the server runs.
    pub(crate) fn is_on_disk(&self) -> bool {
        matches!(self.source, Source::Disk(_))
    }

    /// Returns the content of the file at these segments below the folder;
    /// `None` if there is none. May wait for the disk.
    #[cfg(feature = "views")]
    pub(crate) fn read<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Option<Bytes> {
        self.open(&path_of(segments)?)?.read()
    }

    /// Opens the file at a path of [`path_of`]; `None` if there is none. May
    /// wait for the disk.
    pub(super) fn open(&self, path: &str) -> Option<FolderFile> {
        match &self.source {
            Source::Disk(folder) => open_below(folder, path),
            Source::Embedded(files) => {
                let index = files.binary_search_by(|(other, _)| (*other).cmp(path)).ok()?;
                Some(FolderFile::Embedded(files[index].1))
            }
        }
    }

    /// Returns the paths of all files with this ending.
    #[cfg_attr(not(feature = "views"), expect(dead_code, reason = "only views list files"))]
    pub(crate) fn paths(&self, ending: &str) -> Vec<Cow<'static, str>> {
        let mut paths = match &self.source {
            Source::Embedded(files) => files.iter().map(|(path, _)| Cow::Borrowed(*path)).collect(),
            Source::Disk(folder) => {
                let mut paths = Vec::new();
                collect(folder, "", &mut paths);
                paths
            }
        };
        paths.retain(|path| path.ends_with(ending));
        paths
    }
}

/// A file of a folder.
#[derive(Debug)]
pub(super) enum FolderFile {
    Embedded(&'static [u8]),
    /// Open at its beginning.
    Disk(fs::File, Version),
}

/// Differs from that of a file on disk before it was changed.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) bytes: u64,
    modified: SystemTime,
}

impl FolderFile {
    /// Returns the length in bytes.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            FolderFile::Embedded(content) => content.len() as u64,
            FolderFile::Disk(_, version) => version.bytes,
        }
    }

    /// Returns `None` for a file that never changes.
    pub(super) fn version(&self) -> Option<Version> {
        match self {
            FolderFile::Embedded(_) => None,
            FolderFile::Disk(_, version) => Some(*version),
        }
    }

    /// Reads all of it; `None` if the disk can't be read.
    pub(super) fn read(&mut self) -> Option<Bytes> {
        match self {
            FolderFile::Embedded(content) => Some(Bytes::from_static(content)),
            FolderFile::Disk(file, _) => {
                let mut content = Vec::new();
                file.read_to_end(&mut content).ok()?;
                file.rewind().ok()?;
                Some(content.into())
            }
        }
    }
}

/// Returns the path of these segments, if each of them is plain.
pub(super) fn path_of<'a>(segments: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let plain = segments.into_iter().map(|segment| is_plain(segment).then_some(segment));
    Some(plain.collect::<Option<Vec<_>>>()?.join("/"))
}

/// Returns whether a segment is a visible name without special meaning on any
/// system: no parent, no separator, no drive, no end of a C string.
fn is_plain(segment: &str) -> bool {
    !segment.is_empty() && !segment.starts_with('.') && !segment.contains(['/', '\\', ':', '\0'])
}

fn open_below(folder: &Path, path: &str) -> Option<FolderFile> {
    let folder = folder.canonicalize().ok()?;
    let file = folder.join(path);
    // A link anywhere in the path changes the canonical path.
    if path.is_empty() || file.canonicalize().ok()? != file || !file.is_file() {
        return None;
    }
    let file = fs::File::open(file).ok()?;
    let about = file.metadata().ok()?;
    let version = Version { bytes: about.len(), modified: about.modified().ok()? };
    Some(FolderFile::Disk(file, version))
}

fn collect(folder: &Path, prefix: &str, paths: &mut Vec<Cow<'static, str>>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else {
            continue;
        };
        if !is_plain(&name) {
            continue;
        }
        if kind.is_dir() {
            collect(&entry.path(), &format!("{prefix}{name}/"), paths);
        } else if kind.is_file() {
            paths.push(format!("{prefix}{name}").into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of a test's own under the system's temporary one.
    fn on_disk(name: &str) -> (PathBuf, Folder) {
        let path = std::env::temp_dir().join(format!("pode-folder-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("public/css")).unwrap();
        fs::write(path.join("secret.txt"), "secret").unwrap();
        fs::write(path.join("public/page.html"), "page").unwrap();
        fs::write(path.join("public/css/style.css"), "style").unwrap();
        fs::write(path.join("public/.hidden"), "hidden").unwrap();
        let folder = Folder::on_disk(path.join("public"));
        (path, folder)
    }

    #[track_caller]
    fn check_both_are_alike(folder: &Folder) {
        assert_eq!(folder.read(["page.html"]).unwrap(), "page");
        assert_eq!(folder.read(["css", "style.css"]).unwrap(), "style");
        assert_eq!(folder.paths(".css"), ["css/style.css"]);
        for path in [
            &["..", "secret.txt"][..],
            &["css", "..", "page.html"],
            &["css/style.css"],
            &["css\\style.css"],
            &["css", "", "style.css"],
            &[".hidden"],
            &["C:page.html"],
            &["page.html\0"],
            &["css"],
            &[],
            &["missing"],
        ] {
            assert_eq!(folder.read(path.iter().copied()), None, "{path:?}");
        }
    }

    #[test]
    fn files_are_found_and_nothing_else() {
        let (path, folder) = on_disk("plain");
        check_both_are_alike(&folder);
        fs::remove_dir_all(path).unwrap();
        check_both_are_alike(&Folder::embedded(&[
            ("css/style.css", b"style"),
            ("page.html", b"page"),
        ]));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        use std::os::unix::fs::symlink;
        let (path, folder) = on_disk("links");
        symlink(path.join("secret.txt"), path.join("public/link.txt")).unwrap();
        symlink(&path, path.join("public/up")).unwrap();
        assert_eq!(folder.read(["link.txt"]), None);
        assert_eq!(folder.read(["up", "secret.txt"]), None);
        assert_eq!(folder.paths(".txt"), Vec::<String>::new());
        fs::remove_dir_all(path).unwrap();
    }
}
