//! Writes to a socket that the system doesn't report as writable.
//!
//! Linux does so only when a third of the send buffer is free, which is up to
//! some hundred kilobytes: a slow client takes minutes for them. The buffer takes
//! bytes before.

use std::io::{self, Write};

use tokio::net::TcpStream;

/// A socket that is asked without waiting until it is ready.
pub(crate) struct DirectWrite<'a>(pub(crate) &'a TcpStream);

impl Write for DirectWrite<'_> {
    #[cfg(unix)]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        use rustix::net::{SendFlags, send};

        Ok(send(self.0, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    }

    #[cfg(not(unix))]
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
