//! Stands in for TLS connections where the feature `tls` is off.

use std::io::{self, IoSlice};
use std::net::TcpStream;

/// Never exists.
#[derive(Debug)]
pub(crate) enum TlsSocket {}

impl TlsSocket {
    pub(crate) fn stream(&self) -> &TcpStream {
        match *self {}
    }

    pub(crate) fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn write(&mut self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn is_flushed(&self) -> bool {
        match *self {}
    }

    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match *self {}
    }
}
