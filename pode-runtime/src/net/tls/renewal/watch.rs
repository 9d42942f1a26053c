//! Watching files by their folders.
//!
//! A renewal seldom writes into the file: a new file replaces it by name, or
//! replaces a link or a folder on the way to it. So this watches each folder
//! that contains a name leading to the file. An event there is only a hint to
//! check the files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// How many links may lie on the way to a file; as many as Linux follows.
const MOST_LINKS: usize = 40;

/// The watched folders.
pub(super) struct FileWatcher {
    /// `None` if the system can't watch files.
    watcher: Option<RecommendedWatcher>,
    /// Each with its inode number, since another folder may have taken the
    /// name.
    folders: BTreeMap<PathBuf, u64>,
    /// Whether the log says that something can't be watched; it says so once.
    told: bool,
}

impl FileWatcher {
    /// Watches nothing yet. Notifies `hint` whenever something has happened in
    /// a watched folder.
    pub(super) fn new(hint: Arc<Notify>) -> FileWatcher {
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // Lost events are a hint, too.
            if event.map_or(true, |event| is_change(event.kind)) {
                hint.notify_one();
            }
        });
        let mut watch = FileWatcher { watcher: None, folders: BTreeMap::new(), told: false };
        match watcher {
            Ok(watcher) => watch.watcher = Some(watcher),
            Err(error) => watch.tell(&error),
        }
        watch
    }

    /// Watches the folders on the way to these files, and no others. Returns
    /// whether any folder is new: something may have happened there unseen.
    pub(super) fn follow(&mut self, files: &BTreeSet<PathBuf>) -> bool {
        let mut wanted = BTreeMap::new();
        for file in files {
            for folder in folders_on_the_way(file) {
                let number = number(&folder);
                wanted.insert(folder, number);
            }
        }
        let Some(watcher) = &mut self.watcher else { return false };
        self.folders.retain(|folder, number| {
            let stays = wanted.get(folder) == Some(number);
            if !stays {
                // The folder may be gone, and its watch with it.
                let _ = watcher.unwatch(folder);
            }
            stays
        });
        let mut more = false;
        let mut refused = None;
        for (folder, number) in wanted {
            if self.folders.contains_key(&folder) {
                continue;
            }
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.folders.insert(folder, number);
                    more = true;
                }
                Err(error) => refused = Some(error),
            }
        }
        if let Some(error) = refused {
            self.tell(&error);
        }
        more
    }

    fn tell(&mut self, error: &notify::Error) {
        if !self.told {
            self.told = true;
            let sighup = if cfg!(unix) { ", and on SIGHUP" } else { "" };
            tracing::warn!(
                "the files of certificates can't be watched: {error}; \
                 they are looked at once in a minute{sighup}"
            );
        }
    }
}

/// Returns whether a file may have changed. Reading a file, as this server
/// itself does, is no change.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

/// Returns each folder that contains a name leading to the file, by links or
/// directly. If a folder doesn't exist, the nearest one above it is returned
/// instead.
fn folders_on_the_way(file: &Path) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    let mut follow = vec![std::path::absolute(file).unwrap_or_else(|_| file.to_owned())];
    let mut links = 0;
    while let Some(path) = follow.pop() {
        let mut here = PathBuf::new();
        let mut rest = path.components();
        while let Some(name) = rest.next() {
            if name == Component::ParentDir {
                // The links before it have been followed, so this is correct.
                here.pop();
                continue;
            }
            let folder = here.clone();
            here.push(name);
            if let Ok(target) = std::fs::read_link(&here) {
                folders.insert(folder.clone());
                links += 1;
                if links <= MOST_LINKS {
                    follow.push(folder.join(target).join(rest.as_path()));
                }
                break;
            }
            if !here.is_dir() {
                // The file itself, or the first name that doesn't exist.
                folders.insert(folder);
                break;
            }
        }
    }
    folders
}

#[cfg(unix)]
fn number(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(folder).map_or(0, |found| found.ino())
}

#[cfg(not(unix))]
fn number(_folder: &Path) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_no_change() {
        let read = AccessKind::Close(AccessMode::Read);
        assert!(!is_change(EventKind::Access(read)));
        assert!(!is_change(EventKind::Access(AccessKind::Open(AccessMode::Any))));
        assert!(is_change(EventKind::Access(AccessKind::Close(AccessMode::Write))));
        assert!(is_change(EventKind::Any));
    }

    /// As Certbot and Kubernetes do: a link to a link to a folder.
    #[cfg(unix)]
    #[test]
    fn each_link_on_the_way_is_watched_by_its_folder() {
        use std::os::unix::fs::symlink;

        let root = std::env::temp_dir().join(format!("pode-watch-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        for folder in ["live", "archive/one", "archive/two"] {
            std::fs::create_dir_all(root.join(folder)).expect("a folder");
        }
        let root = root.canonicalize().expect("it is there");
        std::fs::write(root.join("archive/two/key.pem"), "").expect("a file");
        symlink("../archive/now/key.pem", root.join("live/key.pem")).expect("a link");
        symlink("two", root.join("archive/now")).expect("a link");
        symlink("round", root.join("live/round")).expect("a link");
        let found = |file: &str| {
            let folders = folders_on_the_way(&root.join(file)).into_iter();
            let inside = folders.map(|folder| folder.strip_prefix(&root).map(Path::to_owned));
            inside.collect::<Result<Vec<_>, _>>().expect("nothing outside is watched")
        };
        assert_eq!(found("live/key.pem"), ["archive", "archive/two", "live"].map(PathBuf::from));
        assert_eq!(found("archive/one/key.pem"), [PathBuf::from("archive/one")]);
        assert_eq!(found("archive/three/more/key.pem"), [PathBuf::from("archive")]);
        assert_eq!(found("live/round"), [PathBuf::from("live")]);
        std::fs::remove_dir_all(root).expect("it is there");
    }
}
