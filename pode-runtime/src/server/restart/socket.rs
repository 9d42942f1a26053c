//! The Unix socket at which two processes meet, and passing descriptors through
//! it.

use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::io::Interest;
use tokio::net::{UnixListener, UnixStream};

use crate::net::descriptor;

/// Connects to the process that listens at a path; `None` if no process does.
///
/// # Errors
///
/// The file is not a socket, may not be used, or can't be examined.
pub(super) async fn connect(path: &Path) -> io::Result<Option<UnixStream>> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::other("what is there is no socket; remove it, or name another"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    match UnixStream::connect(path).await {
        Ok(stream) => Ok(Some(stream)),
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
pub(super) fn listen(path: &Path) -> io::Result<UnixListener> {
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
        .and_then(|()| fs::rename(&nameless, path));
    if named.is_err() {
        let _ = fs::remove_file(&nameless);
    }
    named.map(|()| listener)
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
mod tests {
    use super::*;

    /// A path for one test, and its folder, which is removed at the end.
    fn path(name: &str) -> (PathBuf, Folder) {
        let folder = std::env::temp_dir().join(format!("pode-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        (folder.join("test.sock"), Folder(folder))
    }

    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[tokio::test]
    async fn a_socket_that_was_left_behind_is_replaced_and_nothing_else() {
        let (path, _folder) = path("socket");
        assert!(connect(&path).await.unwrap().is_none());
        drop(listen(&path).unwrap());
        assert!(path.exists(), "it is left behind");
        assert!(connect(&path).await.unwrap().is_none());
        let listener = listen(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let stream = connect(&path).await.unwrap().unwrap();
        assert!(is_own_user(&stream));
        drop(listener);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "the user's own").unwrap();
        let error = connect(&path).await.unwrap_err();
        assert!(error.to_string().contains("no socket"), "{error}");
    }
}
