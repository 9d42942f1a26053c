//! Passing descriptors through Unix sockets, to another process or within this
//! one.
//!
//! No descriptor that comes out is inherited by a child process, not even by
//! one that another thread starts at that moment.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr};
use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Sent with each descriptor, since none can be sent without data.
const COMPANION: [u8; 1] = [b'+'];

/// Close-on-exec from the moment of arrival, where the system has that.
#[cfg(not(target_vendor = "apple"))]
const RECEIVE: RecvFlags = RecvFlags::CMSG_CLOEXEC;
#[cfg(target_vendor = "apple")]
const RECEIVE: RecvFlags = RecvFlags::empty();

/// Sends a duplicate of a descriptor.
pub(crate) fn send(socket: impl AsFd, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    rights.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(socket, &[IoSlice::new(&COMPANION)], &mut rights, SendFlags::empty())?;
    Ok(())
}

/// Receives a descriptor.
pub(crate) fn receive(socket: impl AsFd) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let mut companion = [0; COMPANION.len()];
    let parts = &mut [IoSliceMut::new(&mut companion)];
    let received = recvmsg(socket, parts, &mut rights, RECEIVE)?;
    if received.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut descriptors = rights.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let descriptor = descriptors.next().ok_or(io::ErrorKind::InvalidData)?;
    #[cfg(target_vendor = "apple")]
    rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::CLOEXEC)?;
    Ok(descriptor)
}

/// Returns a duplicate of the descriptor with this number, which this process
/// was started with.
pub(crate) fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    // Unlike other ways to a descriptor from its number, this one finds out
    // whether it is open.
    let (one, other) = UnixStream::pair()?;
    let rights = [ControlMessage::ScmRights(&[number])];
    let companion = [IoSlice::new(&COMPANION)];
    let flags = MsgFlags::empty();
    nix::sys::socket::sendmsg::<UnixAddr>(one.as_raw_fd(), &companion, &rights, flags, None)?;
    receive(&other)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_listening_socket_goes_through() {
        let (one, other) = UnixStream::pair().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        send(&one, listener.as_fd()).unwrap();
        drop(listener);
        let listener = TcpListener::from(receive(&other).unwrap());
        assert_eq!(listener.local_addr().unwrap(), address);
        let peer = TcpStream::connect(address).unwrap();
        assert_eq!(listener.accept().unwrap().1, peer.local_addr().unwrap());
        drop(one);
        assert_eq!(receive(&other).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_number_is_a_descriptor_if_one_is_open() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let duplicate_of = TcpListener::from(duplicate(listener.as_raw_fd()).unwrap());
        assert_eq!(duplicate_of.local_addr().unwrap(), listener.local_addr().unwrap());
        assert!(duplicate(-1).is_err());
        assert!(duplicate(RawFd::MAX).is_err());
    }

    /// Descriptors arrive while another thread starts children all the time.
    #[cfg(target_os = "linux")]
    #[test]
    fn no_child_inherits_a_descriptor_that_is_just_arriving() {
        use std::process::Command;
        use std::sync::atomic::{AtomicBool, Ordering};

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = format!("/proc/self/fd/{}", listener.as_raw_fd());
        let own = std::fs::read_link(own).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (one, other) = UnixStream::pair().unwrap();
                while !done.load(Ordering::Relaxed) {
                    send(&one, listener.as_fd()).unwrap();
                    drop(receive(&other).unwrap());
                }
            });
            let inherited = (0..300).filter(|_| {
                let listed = Command::new("ls").args(["-l", "/proc/self/fd"]).output().unwrap();
                String::from_utf8(listed.stdout).unwrap().contains(own.to_str().unwrap())
            });
            let inherited = inherited.count();
            done.store(true, Ordering::Relaxed);
            assert_eq!(inherited, 0);
        });
    }
}
