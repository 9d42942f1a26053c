//! A TLS session over a stream of tokio.

use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::net::tls::session::Session;

/// A client's connection after its handshake. Written bytes are encrypted at
/// once; those that the stream doesn't take are sent by the next write or flush.
#[derive(Debug)]
pub(crate) struct TlsStream<S> {
    stream: S,
    session: Session,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    /// Waits for the handshake.
    ///
    /// # Errors
    ///
    /// The configuration can't be used, the handshake or the stream fails.
    pub(crate) async fn accept(stream: S, config: Arc<ServerConfig>) -> io::Result<TlsStream<S>> {
        let mut stream = TlsStream { stream, session: Session::new(config)? };
        poll_fn(|context| stream.poll(context, |session, stream| session.handshake(stream)))
            .await?;
        stream.flush().await?;
        Ok(stream)
    }

    /// Calls the session with the stream, which wakes the task when what is
    /// missing has come.
    fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        call: impl FnOnce(&mut Session, &mut Polled<'_, '_, S>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        match call(&mut self.session, &mut Polled { stream: &mut self.stream, context }) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            result => Poll::Ready(result),
        }
    }
}

impl<S> TlsStream<S> {
    /// Returns the underlying stream.
    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn into_parts(self) -> (S, Session) {
        (self.stream, self.session)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.initialize_unfilled();
        let read = ready!(self.poll(context, |session, stream| session.read(stream, room)))?;
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll(context, |session, stream| session.write(stream, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll(context, |session, stream| session.flush(stream)))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.session.finish();
        ready!(self.poll(context, |session, stream| session.flush(stream)))?;
        match ready!(Pin::new(&mut self.stream).poll_shutdown(context)) {
            // It has ended by itself.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }
}

/// A stream of tokio, called without waiting.
struct Polled<'a, 'b, S> {
    stream: &'a mut S,
    context: &'a mut Context<'b>,
}

impl<S: AsyncRead + Unpin> Read for Polled<'_, '_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        match Pin::new(&mut *self.stream).poll_read(self.context, &mut buffer) {
            Poll::Ready(result) => result.map(|()| buffer.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<S: AsyncWrite + Unpin> Write for Polled<'_, '_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match Pin::new(&mut *self.stream).poll_write(self.context, bytes) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::{AsyncReadExt, DuplexStream, duplex};
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream as ClientStream;

    use super::*;
    use crate::net::tls::session::tests::{client_config, server_config, server_name};

    /// Connects both sides by pipes that hold a thousand bytes, enough for the
    /// tickets after the handshake.
    async fn pair() -> (TlsStream<DuplexStream>, ClientStream<DuplexStream>) {
        let (server, client) = duplex(1000);
        let connector = TlsConnector::from(Arc::new(client_config(&[&rustls::version::TLS13])));
        let (server, client) = tokio::join!(
            TlsStream::accept(server, server_config()),
            connector.connect(server_name(), client)
        );
        (server.unwrap(), client.unwrap())
    }

    #[tokio::test]
    async fn much_passes_both_ways_through_a_narrow_pipe() {
        let (server, client) = pair().await;
        let sent: Vec<u8> = (0..1 << 20).map(|number: u32| (number % 251) as u8).collect();
        let (mut server_reader, mut server_writer) = tokio::io::split(server);
        let (mut client_reader, mut client_writer) = tokio::io::split(client);
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        let all = async {
            tokio::join!(
                async {
                    server_writer.write_all(&sent).await?;
                    server_writer.shutdown().await
                },
                async {
                    client_writer.write_all(&sent).await?;
                    client_writer.shutdown().await
                },
                server_reader.read_to_end(&mut to_server),
                client_reader.read_to_end(&mut to_client),
            )
        };
        let (server_sent, client_sent, server_read, client_read) = all.await;
        server_sent.and(client_sent).unwrap();
        assert_eq!((server_read.unwrap(), client_read.unwrap()), (sent.len(), sent.len()));
        assert!(to_server == sent && to_client == sent);
    }

    #[tokio::test]
    async fn a_write_waits_until_the_previous_one_is_sent() {
        let (mut server, mut client) = pair().await;
        let mut context = Context::from_waker(Waker::noop());
        let slices = [IoSlice::new(&[1; 600]), IoSlice::new(&[2; 600])];
        let written = Pin::new(&mut server).poll_write_vectored(&mut context, &slices);
        assert!(matches!(written, Poll::Ready(Ok(1200))));
        assert!(Pin::new(&mut server).poll_write(&mut context, &[3; 600]).is_pending());
        assert!(Pin::new(&mut server).poll_flush(&mut context).is_pending());
        let mut read = [0; 1800];
        let (written, read_all) =
            tokio::join!(server.write_all(&[3; 600]), client.read_exact(&mut read[..1200]));
        written.and(read_all).unwrap();
        let (flushed, read_all) =
            tokio::join!(server.flush(), client.read_exact(&mut read[1200..]));
        flushed.unwrap();
        read_all.unwrap();
        assert_eq!(read[..], [[1; 600], [2; 600], [3; 600]].concat());
    }
}
