//! The newer process's view of the older one: takes over its sockets, and then
//! its role.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::TryFutureExt;
use pode_core::hub::{Channel, Hub, Log, Parcel, Position};
use tokio::io::BufReader;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::Instant;

use super::leader::Leader;
use super::link::Link;
use super::listener::SuccessorListener;
use super::socket::{self, SocketFile};
use super::wire::{
    Frame, LineError, Shared, hear_line, patiently, read_soon, say_line, unexpected, write,
};
use super::{KEPT, wire};
use crate::app::context::Context;
use crate::app::tickets::Tickets;
use crate::base::error::StartError;
use crate::base::seconds::seconds;
use crate::net::listen::HandedSocket;
use crate::push::engine::{Audience, Envelope, random_epoch};
use crate::push::wire::{pack_entry, unpack};

/// How long the older process may answer `Wait` in total: its own predecessor
/// may still be draining clients.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// How often a process is asked that is gone before it answers.
const MOST_ATTEMPTS: u32 = 5;

/// An older process that answered.
pub(crate) struct Predecessor {
    path: PathBuf,
    stream: UnixStream,
    process: u32,
    /// The listener at which it was found, and its file.
    listener: UnixListener,
    file: SocketFile,
    sockets: Vec<HandedSocket>,
}

impl Predecessor {
    /// Finds the process that listens at a path, and takes duplicates of its
    /// sockets; `None` if there is no such process.
    ///
    /// # Errors
    ///
    /// Something else is at the path, or the process refuses.
    pub(crate) async fn find(path: &Path) -> Result<Option<Predecessor>, StartError> {
        for _ in 1..MOST_ATTEMPTS {
            match Predecessor::ask(path).await {
                // It has just ended, or has handed over to a third process.
                Err(StartError::HandOver { source: Some(error), .. }) if has_gone(&error) => {}
                asked => return asked,
            }
        }
        Predecessor::ask(path).await
    }

    async fn ask(path: &Path) -> Result<Option<Predecessor>, StartError> {
        let failed = |reason: &str, source| StartError::HandOver {
            path: path.to_owned(),
            reason: reason.to_owned(),
            source,
        };
        let connected = socket::connect(path).await;
        let Some((mut stream, file)) =
            connected.map_err(|error| failed("can't be looked at", Some(error)))?
        else {
            return Ok(None);
        };
        if !socket::is_own_user(&stream) {
            return Err(failed("is another user's", None));
        }
        // A silent peer may be a process that was stopped midway.
        let line = match say_line(&mut stream).await {
            Ok(()) => hear_line(&mut stream).await,
            Err(error) => Err(LineError::Silent(error)),
        };
        line.map_err(|error| {
            let reason = format!("leads to a process that {error}");
            failed(&reason, if let LineError::Silent(source) = error { Some(source) } else { None })
        })?;
        let told = async {
            match hear(&mut stream).await? {
                Frame::Sockets { process, sockets } => {
                    let mut handed = Vec::new();
                    for wire::Socket { declared, address } in sockets {
                        let socket = patiently(socket::receive(&stream)).await?;
                        let socket = std::net::TcpListener::from(socket);
                        handed.push(HandedSocket { declared, address, socket });
                    }
                    let listener = patiently(socket::receive(&stream)).await?;
                    let listener = std::os::unix::net::UnixListener::from(listener);
                    listener.set_nonblocking(true)?;
                    Ok((process, handed, UnixListener::from_std(listener)?))
                }
                other => Err(unexpected(&other)),
            }
        };
        let (process, sockets, listener) = told
            .await
            .map_err(|error| failed("leads to a process that doesn't hand over", Some(error)))?;
        let path = path.to_owned();
        Ok(Some(Predecessor { path, stream, process, listener, file, sockets }))
    }

    /// Returns its listening sockets.
    pub(crate) fn take_sockets(&mut self) -> Vec<HandedSocket> {
        std::mem::take(&mut self.sockets)
    }

    /// Takes over its role: when this returns, the older process has let go of
    /// everything, and messages are numbered. If it died meanwhile, there is
    /// nothing to lead.
    ///
    /// # Errors
    ///
    /// The older process refuses; it goes on.
    pub(super) async fn take_place(
        self,
        context: &Context,
    ) -> Result<(SuccessorListener, Option<Leader>), StartError> {
        let Predecessor { path, mut stream, process, listener, file, .. } = self;
        let mut listener = SuccessorListener::new((listener, file));
        let Context { signals, tickets, sequences, .. } = context;
        let hub = signals.hub();
        match take_place(&mut stream, hub, tickets).await {
            Ok(channels) => {
                tracing::info!("takes over from process {process}");
                Ok((listener, Some(Leader::new(Link::new(stream), channels, sequences))))
            }
            Err(error) if has_gone(&error) && listener.is_found() => {
                listener.keep();
                tracing::warn!(%error, "process {process} ended before it handed over");
                for channel in hub.channels() {
                    channel.lead_nobody();
                    // It may have gone on with these numbers.
                    if let Some(log) = channel.log() {
                        log.with(|log| log.begin_epoch(random_epoch()));
                    }
                }
                signals.end_other_stays();
                Ok((listener, None))
            }
            Err(source) => {
                let reason = match listener.is_found() {
                    true => "leads to a process that didn't hand over",
                    false => "is the older process's again, since this one took too long to start",
                };
                let reason = reason.to_owned();
                Err(StartError::HandOver { path, reason, source: Some(source) })
            }
        }
    }
}

async fn take_place(
    stream: &mut UnixStream,
    hub: &Hub<Envelope>,
    tickets: &Tickets,
) -> io::Result<Vec<Channel<Envelope>>> {
    let signals = hub.paths().map(str::to_owned).collect();
    let process = std::process::id();
    write(stream, &Frame::Ready { process, signals }, b"").await?;
    let (shared, ticket_key) = match hear(stream).await? {
        Frame::Shared { channels, ticket_key } => (channels, ticket_key),
        other => return Err(unexpected(&other)),
    };
    let now = seconds();
    let mut logs = shared
        .into_iter()
        .map(|Shared { path, index, epoch, number, next, earlier }| {
            let channel = hub.channels().find(|it| it.path() == path && it.index() == index);
            let channel = channel.ok_or(io::ErrorKind::InvalidData)?;
            let own = channel.log().ok_or(io::ErrorKind::InvalidData)?;
            let log = own.with(|log| {
                log.keep_at_least(KEPT, now);
                log.successor(Position { epoch, number }, earlier)
            });
            Ok((channel, log, next))
        })
        .collect::<io::Result<Vec<(&Channel<Envelope>, Log<Audience>, u64)>>>()?;
    // It says nothing more before it is answered.
    let mut reader = BufReader::new(&mut *stream);
    loop {
        match read_soon(&mut reader).await? {
            (Frame::Gap { channel, path, number }, _) => {
                let (_, log, _) = logs.get_mut(channel).ok_or(io::ErrorKind::InvalidData)?;
                log.set_gap(path.map(Into::into), number);
            }
            (Frame::Kept { channel, number, age, what }, payload) => {
                let (_, log, _) = logs.get_mut(channel).ok_or(io::ErrorKind::InvalidData)?;
                let envelope = unpack(what, &payload)?;
                if let Some(entry) = envelope.log_entry() {
                    log.skip_to(number);
                    log.push(entry, now.saturating_sub(age));
                }
            }
            (Frame::Present { channel, change }, _) => {
                let (_, log, _) = logs.get_mut(channel).ok_or(io::ErrorKind::InvalidData)?;
                log.load_presence(&change.into());
            }
            (Frame::Go, _) => break,
            (Frame::Wait, _) => {}
            (other, _) => return Err(unexpected(&other)),
        }
    }
    let mut channels = Vec::new();
    for (channel, mut log, next) in logs {
        log.skip_to(next);
        channels.push(channel.clone());
        let leading = channel.lead(log, |entry| {
            let (what, payload) = pack_entry(entry);
            unpack(what, payload).ok()
        });
        patiently(leading.map_err(io::Error::other)).await?;
    }
    // If the older process gave up meanwhile, the read below reports it.
    let _ = write(stream, &Frame::Taken, b"").await;
    match hear(stream).await? {
        Frame::Yours => {
            tickets.set_key(ticket_key);
            Ok(channels)
        }
        other => Err(unexpected(&other)),
    }
}

/// Waits for the next frame other than `Wait`.
async fn hear(stream: &mut UnixStream) -> io::Result<Frame> {
    let latest = Instant::now() + LONGEST_WAIT;
    let mut told = false;
    while Instant::now() < latest {
        match read_soon(stream).await?.0 {
            Frame::Wait if told => {}
            Frame::Wait => {
                told = true;
                tracing::info!("waits until the older process can hand over");
            }
            Frame::Refuse { reason } => return Err(io::Error::other(reason)),
            frame => return Ok(frame),
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Returns whether the other end is gone.
fn has_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}
