//! Watching files by their folders.
//!
//! Who renews a file seldom writes into it: a new one takes its name, or that
//! of a link on the way to it, or of a folder. So what is watched is each
//! folder in which a name stands that leads to the file. What happens there is
//! only a hint to look.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// How many links may lie on the way to a file; as many as Linux follows.
const MOST_LINKS: usize = 40;

/// The folders that are watched.
pub(super) struct FileWatcher {
    /// `None` if the system watches nothing.
    watcher: Option<RecommendedWatcher>,
    /// Each with its number in the file system: another folder may have taken
    /// the name.
    folders: BTreeMap<PathBuf, u64>,
    /// It is said once that something can't be watched.
    told: bool,
}

impl FileWatcher {
    /// Watches nothing yet. `hint` is given whenever something has happened in
    /// a folder that is watched.
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

    /// Watches the folders on the way to these files, and no others. Tells
    /// whether that are more than before: then something may have happened
    /// there unseen.
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
                // It may be gone, and its watch with it.
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

/// Tells whether a file may be another now. Reading one, as this server does
/// itself, is no change.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

/// Returns each folder in which a name stands that leads to the file, by links
/// or directly. In the place of one that isn't there stands the nearest above.
fn folders_on_the_way(file: &Path) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    let mut follow = vec![std::path::absolute(file).unwrap_or_else(|_| file.to_owned())];
    let mut links = 0;
    while let Some(path) = follow.pop() {
        let mut here = PathBuf::new();
        let mut rest = path.components();
        while let Some(name) = rest.next() {
            if name == Component::ParentDir {
                // The links before it have been followed, so this is right.
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
                // The file itself, or the first name that isn't there.
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

    /// As Certbot and Kubernetes do it: a link to a link to a folder.
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
