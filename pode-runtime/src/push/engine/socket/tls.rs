//! A TLS connection: the session next to the socket, without a layer between
//! them.

use std::io::{self, IoSlice};
use std::net::{Shutdown, TcpStream};

use crate::net::connection_limit::ConnectionPermit;
use crate::net::tls::session::Session;

/// A connection whose handshake is done.
#[derive(Debug)]
pub(crate) struct TlsSocket {
    stream: TcpStream,
    session: Session,
    /// Counts the connection.
    _permit: Option<ConnectionPermit>,
}

impl TlsSocket {
    pub(crate) fn new(
        stream: TcpStream,
        session: Session,
        permit: Option<ConnectionPermit>,
    ) -> TlsSocket {
        TlsSocket { stream, session, _permit: permit }
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.session.read(&mut &self.stream, buffer);
        // The session may answer by itself. An error shows up at the next call.
        let _ = self.flush();
        read
    }

    /// Encrypts some bytes once the previous ones are sent, so that at most one
    /// write is buffered.
    pub(crate) fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.session.write(&mut &self.stream, slices)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.session.flush(&mut &self.stream)
    }

    pub(crate) fn is_flushed(&self) -> bool {
        self.session.is_flushed()
    }

    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.session.finish();
        self.flush()?;
        self.stream.shutdown(Shutdown::Write)
    }
}
