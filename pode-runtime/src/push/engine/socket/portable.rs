//! A connection polled by tokio: on systems without epoll, and for streams that
//! can't be taken out of tokio.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::unconstrained;

use crate::net::connection_limit::ConnectionPermit;

/// Any stream, and the waker for when it is ready.
pub(crate) struct PortableSocket {
    stream: Pin<Box<dyn Stream>>,
    waker: Waker,
    is_flushed: bool,
    /// Counts the connection.
    _permit: Option<ConnectionPermit>,
}

trait Stream: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

impl PortableSocket {
    pub(crate) fn new(
        stream: impl AsyncRead + AsyncWrite + Send + 'static,
        permit: Option<ConnectionPermit>,
    ) -> PortableSocket {
        let waker = Waker::noop().clone();
        PortableSocket { stream: Box::pin(stream), waker, is_flushed: true, _permit: permit }
    }

    /// Sets the waker that is used from now on.
    pub(crate) fn wake(&mut self, waker: Waker) {
        self.waker = waker;
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = ReadBuf::new(buffer);
        self.poll(|stream, context| stream.poll_read(context, &mut read))?;
        Ok(read.filled().len())
    }

    pub(crate) fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = self.poll(|stream, context| stream.poll_write_vectored(context, slices))?;
        self.is_flushed = false;
        // Data is flushed early where possible; an error shows up at the next
        // call.
        let _ = self.flush();
        Ok(written)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if !self.is_flushed {
            self.poll(|stream, context| stream.poll_flush(context))?;
            self.is_flushed = true;
        }
        Ok(())
    }

    pub(crate) fn is_flushed(&self) -> bool {
        self.is_flushed
    }

    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.poll(|stream, context| stream.poll_shutdown(context))
    }

    /// Polls outside of the task's coop budget, which would otherwise be spent
    /// after some sockets and make all others look blocked. Shards yield by
    /// themselves.
    fn poll<T>(
        &mut self,
        mut poll: impl FnMut(Pin<&mut dyn Stream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        let polled = poll_fn(|context| poll(self.stream.as_mut(), context));
        match pin!(unconstrained(polled)).poll(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl std::fmt::Debug for PortableSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PortableSocket").finish_non_exhaustive()
    }
}
