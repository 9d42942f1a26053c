//! The Unix socket at which two processes meet, and passing descriptors through
//! it.

use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::io::Interest;
use tokio::net::{UnixListener, UnixStream};

use crate::base::supervisor::unwinding_stops_here;
use crate::net::descriptor;

/// The file of a hand-over socket. It is removed when this is dropped, if it is
/// this process's own.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode. As long as the socket exists, no other file has them.
    identity: (u64, u64),
    /// False while two processes have the socket: then whichever goes on needs
    /// the file.
    pub(super) is_own: bool,
}

impl SocketFile {
    /// Looks at the file at a path, which isn't this process's own.
    fn find(path: &Path) -> io::Result<SocketFile> {
        let found = fs::symlink_metadata(path)?;
        if !found.file_type().is_socket() {
            return Err(io::Error::other("what is there is no socket; remove it, or name another"));
        }
        // The working directory may change.
        let path = std::path::absolute(path)?;
        Ok(SocketFile { path, identity: (found.dev(), found.ino()), is_own: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether the path still leads to this file, and so to its socket.
    pub(super) fn is_there(&self) -> bool {
        SocketFile::find(&self.path).is_ok_and(|found| found.identity == self.identity)
    }

    /// Removes the file, if it is this process's own and still there.
    pub(super) fn remove(&mut self) {
        if std::mem::take(&mut self.is_own)
            && self.is_there()
            && let Err(error) = fs::remove_file(&self.path)
        {
            unwinding_stops_here(|| {
                tracing::debug!(%error, "the socket {:?} is left behind", self.path);
            });
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Connects to the process that listens at a path; `None` if no process does.
///
/// # Errors
///
/// The file is not a socket, may not be used, or can't be examined.
pub(super) async fn connect(path: &Path) -> io::Result<Option<(UnixStream, SocketFile)>> {
    let file = match SocketFile::find(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match UnixStream::connect(path).await {
        // If it was replaced meanwhile, nobody knows which one was found.
        Ok(_) if !file.is_there() => Err(io::ErrorKind::ConnectionReset.into()),
        Ok(stream) => Ok(Some((stream, file))),
        // A process left its socket behind, or is removing it right now.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Listens at a path, replacing a socket at which no process listens. Only the
/// same user may connect.
pub(super) fn listen(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    // The permissions are set before the socket gets its name.
    let mut nameless = path.as_os_str().to_owned();
    nameless.push(format!(".{}", std::process::id()));
    let nameless = PathBuf::from(nameless);
    if nameless.try_exists()? {
        // Left by an earlier process with this id, which was killed midway.
        fs::remove_file(&nameless)?;
    }
    let listener = UnixListener::bind(&nameless)?;
    let named = fs::set_permissions(&nameless, fs::Permissions::from_mode(0o600))
        .and_then(|()| SocketFile::find(&nameless))
        .and_then(|file| fs::rename(&nameless, path).map(|()| file.identity))
        .and_then(|identity| Ok((identity, std::path::absolute(path)?)));
    match named {
        Ok((identity, path)) => Ok((listener, SocketFile { path, identity, is_own: true })),
        Err(error) => {
            let _ = fs::remove_file(&nameless);
            Err(error)
        }
    }
}

/// Returns whether the peer process runs as the same user.
pub(super) fn is_own_user(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == own)
}

/// Sends a duplicate of a descriptor.
pub(super) async fn send(stream: &UnixStream, handed: BorrowedFd<'_>) -> io::Result<()> {
    stream.async_io(Interest::WRITABLE, || descriptor::send(stream, handed)).await
}

/// Receives a descriptor.
pub(super) async fn receive(stream: &UnixStream) -> io::Result<OwnedFd> {
    stream.async_io(Interest::READABLE, || descriptor::receive(stream)).await
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A path for one test, and its folder, which is removed at the end.
    pub(in super::super) fn path(name: &str) -> (PathBuf, Folder) {
        let folder = std::env::temp_dir().join(format!("pode-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        (folder.join("test.sock"), Folder(folder))
    }

    pub(in super::super) struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    /// Leaves the socket behind, as a process does that is killed.
    fn leave_behind((_, mut file): (UnixListener, SocketFile)) {
        file.is_own = false;
    }

    #[tokio::test]
    async fn a_socket_that_was_left_behind_is_replaced_and_nothing_else() {
        let (path, _folder) = path("socket");
        assert!(connect(&path).await.unwrap().is_none());
        leave_behind(listen(&path).unwrap());
        assert!(path.exists(), "it is left behind");
        assert!(connect(&path).await.unwrap().is_none());
        let own = listen(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let (stream, found) = connect(&path).await.unwrap().unwrap();
        assert!(is_own_user(&stream) && found.is_there());
        drop(found);
        assert!(path.exists(), "it is another's");
        drop(own);
        assert!(!path.exists(), "it was its own");
        fs::write(&path, "the user's own").unwrap();
        let error = connect(&path).await.unwrap_err();
        assert!(error.to_string().contains("no socket"), "{error}");
    }

    #[tokio::test]
    async fn who_ends_removes_no_file_that_another_has_put_there() {
        let (path, _folder) = path("another");
        let (older, newer) = (listen(&path).unwrap(), listen(&path).unwrap());
        assert!(!older.1.is_there() && newer.1.is_there());
        drop(older);
        assert!(path.exists());
        assert!(connect(&path).await.unwrap().is_some());
        drop(newer);
        assert!(!path.exists());
    }
}
