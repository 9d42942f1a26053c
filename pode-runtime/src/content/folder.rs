//! Folders of the user: on disk while developing, in the binary afterwards.
//!
//! Both forms give the same files: no hidden ones but those in `/.well-known`,
//! and none behind symbolic links.

use std::borrow::Cow;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

#[cfg(feature = "views")]
use bytes::Bytes;

#[cfg(feature = "views")]
use crate::base::log::ration::rationed;
use crate::content::file::{ContentFile, is_absence};

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
    /// `None` if there is none, or it can't be read, which is logged. May wait
    /// for the disk.
    #[cfg(feature = "views")]
    pub(crate) fn read<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Option<Bytes> {
        let path = path_of(segments)?;
        let content = self.open(&path).and_then(|file| file.map(|file| file.read()).transpose());
        content.unwrap_or_else(|error| {
            rationed!(error, "cannot read {path:?}: {error}");
            None
        })
    }

    /// Opens the file at a path of [`path_of`]; `None` if there is none. May
    /// wait for the disk.
    ///
    /// # Errors
    ///
    /// If there is a file and it can't be opened, as when the process has no
    /// descriptor left.
    pub(super) fn open(&self, path: &str) -> io::Result<Option<ContentFile>> {
        match &self.source {
            Source::Disk(folder) => match open_below(folder, path) {
                Err(error) if is_absence(&error) => Ok(None),
                file => file.map(Some),
            },
            Source::Embedded(files) => {
                let index = files.binary_search_by(|(other, _)| (*other).cmp(path));
                Ok(index.ok().map(|index| ContentFile::Embedded(files[index].1)))
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

/// The folder of what programs look for at a fixed address (RFC 8615), such as
/// `security.txt`: hidden, but public.
const WELL_KNOWN: &str = ".well-known";

/// Returns the path of these segments, if each of them is plain.
pub(super) fn path_of<'a>(segments: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut path = String::new();
    for segment in segments {
        if !is_plain(segment, &path) {
            return None;
        }
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(segment);
    }
    // Not a file of this name.
    (path != WELL_KNOWN).then_some(path)
}

/// Returns whether a segment, below this path, is a visible name without special
/// meaning on any system: no parent, no separator, no drive, no end of a C
/// string.
fn is_plain(segment: &str, above: &str) -> bool {
    let is_visible = !segment.starts_with('.') || above.is_empty() && segment == WELL_KNOWN;
    is_visible && !segment.is_empty() && !segment.contains(['/', '\\', ':', '\0'])
}

fn open_below(folder: &Path, path: &str) -> io::Result<ContentFile> {
    let folder = folder.canonicalize()?;
    let file = folder.join(path);
    // A link anywhere in the path changes the canonical path.
    if path.is_empty() || file.canonicalize()? != file {
        return Err(ErrorKind::NotFound.into());
    }
    ContentFile::open(&file)
}

fn collect(folder: &Path, prefix: &str, paths: &mut Vec<Cow<'static, str>>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else {
            continue;
        };
        if !is_plain(&name, prefix) {
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
        for folder in ["public/.well-known", "public/css/.well-known"] {
            fs::create_dir(path.join(folder)).unwrap();
            fs::write(path.join(folder).join("security.txt"), "security").unwrap();
            fs::write(path.join(folder).join(".hidden"), "hidden").unwrap();
        }
        let folder = Folder::on_disk(path.join("public"));
        (path, folder)
    }

    #[track_caller]
    fn check_both_are_alike(folder: &Folder) {
        assert_eq!(folder.read(["page.html"]).unwrap(), "page");
        assert_eq!(folder.read(["css", "style.css"]).unwrap(), "style");
        assert_eq!(folder.paths(".css"), ["css/style.css"]);
        assert_eq!(folder.read([".well-known", "security.txt"]).unwrap(), "security");
        assert_eq!(folder.paths("security.txt"), [".well-known/security.txt"]);
        for path in [
            &["..", "secret.txt"][..],
            &["css", "..", "page.html"],
            &["css/style.css"],
            &["css\\style.css"],
            &["css", "", "style.css"],
            &[".hidden"],
            &[".well-known"],
            &[".well-known", ".hidden"],
            &[".well-known", "..", "page.html"],
            &["css", ".well-known", "security.txt"],
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
            (".well-known/security.txt", b"security"),
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
        symlink("loop", path.join("public/loop")).unwrap();
        assert!(folder.open("loop").unwrap().is_none());
        assert_eq!(folder.paths(".txt"), [".well-known/security.txt"]);
        fs::remove_dir_all(path).unwrap();
    }
}
