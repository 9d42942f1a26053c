//! A connection with time limits for its client.
//!
//! When reading, the limits apply to the head of a request and to the idle time
//! before it; `body_timeout.rs` limits bodies. When writing, they apply to each
//! wait for the client to take bytes. When the time is up, reading or writing
//! fails, and with it the connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::base::limits::Limits;
use crate::http::activity::Activity;
use crate::http::half_close::HalfClose;
use crate::http::linger::{LINGER, LINGER_BYTES};
use crate::http::min_throughput::MinThroughput;
use crate::net::connection_limit::ConnectionPermit;
use crate::net::tls::config::{TlsStream, tcp_stream};
use crate::net::upgraded::Stream;

/// How long a head may take when the server stops.
const STOP_HEAD_TIMEOUT: Duration = Duration::from_secs(1);

/// A stream that carries a connection.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Makes the connection be reset when it is dropped, so that the system
    /// doesn't keep bytes that the client doesn't take.
    fn reset(&self);

    /// Whether the system knows that the client has ended its side, or reset the
    /// connection, however much of what it sent is unread.
    fn has_ended(&self) -> bool;

    /// Returns it as a connection that leaves HTTP.
    fn into_stream(self) -> Stream;
}

impl Transport for TcpStream {
    fn into_stream(self) -> Stream {
        Stream::Tcp(self)
    }

    fn reset(&self) {
        let _ = socket2::SockRef::from(self).set_linger(Some(Duration::ZERO));
    }

    fn has_ended(&self) -> bool {
        let ready = self.ready(Interest::READABLE).now_or_never();
        ready.is_some_and(|ready| ready.is_ok_and(|ready| ready.is_read_closed()))
    }
}

impl Transport for TlsStream {
    fn into_stream(self) -> Stream {
        Stream::Tls(Box::new(self))
    }

    fn reset(&self) {
        tcp_stream(self).reset();
    }

    fn has_ended(&self) -> bool {
        tcp_stream(self).has_ended()
    }
}

#[cfg(test)]
impl Transport for tokio::io::DuplexStream {
    fn into_stream(self) -> Stream {
        Stream::Other(Box::new(self))
    }

    fn reset(&self) {}

    fn has_ended(&self) -> bool {
        false
    }
}

/// A stream whose client has time limits.
#[derive(Debug)]
pub(crate) struct TimeoutStream<S> {
    /// Absent once the connection has left HTTP: hyper has reached its end.
    stream: Option<S>,
    activity: Arc<Activity>,
    /// Absent if heads can't be told from other bytes, as in HTTP/2.
    reading: Option<ReadTimeout>,
    writing: MinThroughput,
    half_close: HalfClose,
    /// The deadline and the remaining bytes of a connection that only lingers.
    lingering: Option<(Pin<Box<Sleep>>, usize)>,
}

/// The time limits of heads.
#[derive(Debug)]
struct ReadTimeout {
    head_timeout: Duration,
    keep_alive_timeout: Duration,
    awaited: Awaited,
    /// How many requests there had been at the last poll.
    requests: u64,
    /// Ends when the time may be up; it isn't moved whenever there is more.
    timer: Option<Pin<Box<Sleep>>>,
}

/// What the client has to send next.
#[derive(Clone, Copy, Debug)]
enum Awaited {
    /// The end of a head that began then.
    Head(Instant),
    /// The next request, since then.
    Next(Instant),
}

impl<S> TimeoutStream<S> {
    /// Limits a stream that carries HTTP/1. The time for the first head starts now.
    pub(crate) fn http_1(stream: S, activity: &Arc<Activity>, limits: &Limits) -> TimeoutStream<S> {
        let reading = ReadTimeout {
            head_timeout: limits.head_timeout,
            keep_alive_timeout: limits.keep_alive_timeout,
            awaited: Awaited::Head(Instant::now()),
            requests: 0,
            timer: None,
        };
        TimeoutStream { reading: Some(reading), ..TimeoutStream::http_2(stream, activity, limits) }
    }

    /// Limits a stream that carries HTTP/2.
    pub(crate) fn http_2(stream: S, activity: &Arc<Activity>, limits: &Limits) -> TimeoutStream<S> {
        TimeoutStream {
            stream: Some(stream),
            activity: Arc::clone(activity),
            reading: None,
            writing: MinThroughput::new(limits.write_timeout, limits.min_bytes_per_second),
            half_close: HalfClose::new(limits.write_timeout),
            lingering: None,
        }
    }

    /// Notices the end of the client's side; ready when the client has been waited for.
    fn poll_half_close(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.activity.note_half_close(true);
        self.half_close.poll_over(context)
    }

    /// Returns the stream, from now on without limits, and its permit; none if the
    /// connection has left HTTP already.
    pub(crate) fn into_parts(self) -> (Option<S>, Option<ConnectionPermit>) {
        (self.stream, self.activity.take_permit())
    }
}

impl ReadTimeout {
    /// Is ready when the client has used up its time.
    fn poll_late(
        &mut self,
        context: &mut Context<'_>,
        activity: &Activity,
        is_written: bool,
    ) -> Poll<()> {
        let requests = activity.requests();
        if std::mem::replace(&mut self.requests, requests) != requests
            && let Awaited::Head(since) = self.awaited
        {
            self.awaited = Awaited::Next(since);
        }
        loop {
            let (since, allowed) = match &mut self.awaited {
                Awaited::Head(since) if activity.stops() => {
                    (since, self.head_timeout.min(STOP_HEAD_TIMEOUT))
                }
                Awaited::Head(since) => (since, self.head_timeout),
                Awaited::Next(since) => (since, self.keep_alive_timeout),
            };
            let by = *since + allowed;
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(by)));
            if timer.deadline() > by {
                timer.as_mut().reset(by);
            }
            ready!(timer.as_mut().poll(context));
            // Nothing wakes this task at the end of an answer, so it is looked
            // for only when it matters.
            if activity.is_answering() || !is_written {
                *since = Instant::now();
            } else if timer.deadline() == by {
                return Poll::Ready(());
            }
            timer.as_mut().reset(*since + allowed);
        }
    }
}

impl<S: Transport> TimeoutStream<S> {
    /// Limits a wait for the client to take bytes.
    fn limit_writing<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
        bytes: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        match polled {
            Poll::Ready(Ok(written)) => {
                let bytes = bytes(&written);
                self.writing.progress(bytes);
                if let Some(ReadTimeout { awaited: Awaited::Next(since), .. }) = &mut self.reading
                    && bytes > 0
                {
                    *since = Instant::now();
                }
                Poll::Ready(Ok(written))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                ready!(self.writing.poll_late(context));
                if let Some(stream) = &self.stream {
                    stream.reset();
                }
                let text = "the client takes too long to read (`write_timeout`)";
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)))
            }
        }
    }

    /// Reads and discards what the client still sends, for a while.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            let Some(stream) = &mut self.stream else { return Poll::Ready(()) };
            let polled = Pin::new(stream).poll_read(context, &mut buffer);
            let read = buffer.filled().len();
            match polled {
                // If the client sends nothing, the answer can't get lost. In
                // HTTP/2 it does send: it grants more window as it reads.
                Poll::Pending
                    if self.lingering.is_none()
                        && self.reading.is_some()
                        && !self.activity.is_left_unread() =>
                {
                    return Poll::Ready(());
                }
                Poll::Ready(Ok(())) if read > 0 => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            let (timer, bytes) = self.lingering.get_or_insert_with(|| {
                (Box::pin(sleep_until(Instant::now() + LINGER)), LINGER_BYTES)
            });
            *bytes = bytes.saturating_sub(read);
            if *bytes == 0 || timer.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            if polled.is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl<S: Transport> AsyncRead for TimeoutStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let filled = buffer.filled().len();
        let Some(stream) = &mut this.stream else { return Poll::Ready(Ok(())) };
        let polled = Pin::new(stream).poll_read(context, buffer);
        let Some(reading) = &mut this.reading else { return polled };
        if polled.is_pending() {
            let is_written = !this.writing.is_waiting();
            ready!(reading.poll_late(context, &this.activity, is_written));
            let text = match reading.awaited {
                Awaited::Head(_) => "the head of a request takes too long (`head_timeout`)",
                Awaited::Next(_) => "no further request came (`keep_alive_timeout`)",
            };
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)));
        }
        let has_read = buffer.filled().len() > filled;
        if has_read && matches!(reading.awaited, Awaited::Next(_)) {
            reading.awaited = Awaited::Head(Instant::now());
        }
        if !has_read && matches!(polled, Poll::Ready(Ok(()))) && this.activity.has_whole_request() {
            ready!(this.poll_half_close(context));
        }
        polled
    }
}

impl<S: Transport> AsyncWrite for TimeoutStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(stream) = &mut this.stream else { return Poll::Ready(Ok(0)) };
        let polled = Pin::new(stream).poll_write(context, bytes);
        this.limit_writing(context, polled, |written| *written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(stream) = &mut this.stream else { return Poll::Ready(Ok(0)) };
        let polled = Pin::new(stream).poll_write_vectored(context, slices);
        this.limit_writing(context, polled, |written| *written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // hyper flushes only what is written: so nothing is owed to an earlier request.
        if let Some(departure) = this.activity.departs()
            && let Some(stream) = this.stream.take()
        {
            departure.leave(stream.into_stream(), this.activity.take_permit());
        }
        if this.activity.in_progress() == 0 {
            // hyper doesn't read again by itself at the end of the answer.
            if this.half_close.forget() {
                this.activity.note_half_close(false);
                context.waker().wake_by_ref();
            }
        } else if (this.half_close.is_noticed()
            || this.activity.takes_look() && this.stream.as_ref().is_some_and(Transport::has_ended))
            && this.poll_half_close(context).is_ready()
        {
            let text = "the client has gone";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, text)));
        }
        let Some(stream) = &mut this.stream else { return Poll::Ready(Ok(())) };
        let polled = Pin::new(stream).poll_flush(context);
        this.limit_writing(context, polled, |()| 0)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.lingering.is_none() {
            let Some(stream) = &mut this.stream else { return Poll::Ready(Ok(())) };
            let polled = Pin::new(stream).poll_shutdown(context);
            ready!(this.limit_writing(context, polled, |()| 0))?;
        }
        ready!(this.poll_linger(context));
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::http::activity::RequestInProgress;

    struct Peers {
        server: TimeoutStream<DuplexStream>,
        client: DuplexStream,
        activity: Arc<Activity>,
    }

    /// Heads have 10 seconds, the next request 30, and responses 20.
    fn peers() -> Peers {
        let (server, client) = duplex(1000);
        let activity = Arc::new(Activity::default());
        let limits = Limits {
            head_timeout: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(20),
            min_bytes_per_second: 100,
            ..Limits::default()
        };
        Peers { server: TimeoutStream::http_1(server, &activity, &limits), client, activity }
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_time_whatever_comes_of_it() {
        let Peers { mut server, mut client, activity: _activity } = peers();
        let started = Instant::now();
        let trickle = async {
            loop {
                client.write_all(b"x").await.unwrap();
                sleep(Duration::from_secs(1)).await;
            }
        };
        let mut all = Vec::new();
        let heard = tokio::select! {
            () = trickle => unreachable!(),
            heard = server.read_to_end(&mut all) => heard,
        };
        assert_eq!(heard.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_a_second_when_the_server_stops() {
        let Peers { mut server, mut client, activity } = peers();
        let started = Instant::now();
        client.write_all(b"GET").await.unwrap();
        server.read_exact(&mut [0; 3]).await.unwrap();
        let waits = timeout(Duration::from_secs(3), server.read_u8()).await;
        assert!(waits.is_err());
        activity.stop();
        assert_eq!(server.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed().as_secs(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_request_has_more_time_until_it_begins() {
        let Peers { mut server, mut client, activity } = peers();
        client.write_all(b"x").await.unwrap();
        server.read_u8().await.unwrap();
        let request = RequestInProgress::new(&activity);
        let answered = async {
            // However long it takes, the client isn't waited for.
            sleep(Duration::from_secs(3600)).await;
            drop(request);
        };
        let mut byte = [0];
        tokio::select! {
            biased;
            _ = server.read(&mut byte) => unreachable!(),
            () = answered => {}
        }
        server.write_u8(b'x').await.unwrap();
        let started = Instant::now();
        let begins = async {
            sleep(Duration::from_secs(29)).await;
            client.write_all(b"x").await.unwrap();
        };
        let (heard, ()) = tokio::join!(server.read_u8(), begins);
        heard.unwrap();
        assert_eq!(server.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed().as_secs(), 39);
    }

    #[tokio::test(start_paused = true)]
    async fn who_ends_its_side_is_waited_for_while_it_may_read_the_answer() {
        let Peers { mut server, mut client, activity } = peers();
        let request = RequestInProgress::new(&activity);
        client.shutdown().await.unwrap();
        let started = Instant::now();
        assert!(!activity.is_half_closed());
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(started.elapsed(), Duration::from_secs(20));
        assert!(activity.is_half_closed());
        let Peers { mut server, mut client, activity: _activity } = peers();
        client.shutdown().await.unwrap();
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0, "it has asked for nothing");
        drop(request);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_never_reads_is_given_up() {
        let Peers { mut server, client: _client, activity: _activity } = peers();
        let started = Instant::now();
        let error = server.write_all(&[0; 2000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed().as_secs(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_not_one_whose_answer_is_still_read() {
        let Peers { mut server, mut client, activity } = peers();
        drop(RequestInProgress::new(&activity));
        let reads = async {
            let mut buffer = vec![0; 1000];
            for _ in 0..10 {
                sleep(Duration::from_secs(10)).await;
                client.read_exact(&mut buffer).await.unwrap();
            }
            // The last thousand bytes were written ten seconds ago.
            sleep(Duration::from_secs(19)).await;
            client.write_all(b"x").await.unwrap();
        };
        let (mut reading, mut writing) = tokio::io::split(&mut server);
        let both = async { tokio::join!(reading.read_u8(), writing.write_all(&[0; 10_000])) };
        let (_, (read, written)) = tokio::join!(reads, both);
        written.unwrap();
        read.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_for_what_is_still_coming() {
        let Peers { mut server, mut client, activity: _activity } = peers();
        client.write_all(b"more").await.unwrap();
        let started = Instant::now();
        server.shutdown().await.unwrap();
        assert_eq!(started.elapsed(), LINGER);
        let Peers { mut server, client: _client, activity: _activity } = peers();
        let started = Instant::now();
        server.shutdown().await.unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn by_http_2_the_end_waits_for_who_still_reads() {
        let (stream, mut client) = duplex(1000);
        let (activity, limits) = (Arc::new(Activity::of_http_2(None)), Limits::default());
        let mut server = TimeoutStream::http_2(stream, &activity, &limits);
        let started = Instant::now();
        let reads = async {
            sleep(Duration::from_secs(1)).await;
            client.write_all(b"there is room for more").await.unwrap();
            drop(client);
        };
        let (ended, ()) = tokio::join!(server.shutdown(), reads);
        ended.unwrap();
        assert_eq!(started.elapsed().as_secs(), 1);

        // But only for a while.
        let (stream, _silent) = duplex(1000);
        let mut server = TimeoutStream::http_2(stream, &activity, &limits);
        let started = Instant::now();
        server.shutdown().await.unwrap();
        assert_eq!(started.elapsed(), LINGER);
    }
}
