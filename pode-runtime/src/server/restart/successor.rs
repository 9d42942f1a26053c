//! The older process's view of a newer one: hands it the sockets, and lets go
//! of everything else when the newer process is ready.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use pode_core::hub::{Kept, Position};
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::net::UnixStream;
use tokio::time::{Instant, interval, timeout};

use super::follower::Follower;
use super::link::Link;
use super::state::Resources;
use super::wire::{
    self, Frame, hear_line, patiently, read, read_soon, say_line, unexpected, write,
};
use super::{KEPT, socket};
use crate::base::seconds::seconds;
use crate::net::listen::HandedSocket;
use crate::push::wire::{WirePresence, pack_entry};

/// How long the newer process may take to get ready.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// How long the newer process may take to take everything over. Meanwhile nobody
/// accepts connections, and messages wait.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(30);

/// How often `Wait` is sent to a waiting process.
pub(super) const WAIT: Duration = Duration::from_secs(1);

/// How long a peer may take to introduce itself.
const INTRODUCTION_TIMEOUT: Duration = Duration::from_secs(5);

/// A newer process that asks for a hand-over.
pub(super) struct Successor {
    stream: UnixStream,
}

impl Successor {
    /// Checks that the peer is a process that speaks this protocol.
    pub(super) async fn greet(mut stream: UnixStream) -> Result<Successor, String> {
        if !socket::is_own_user(&stream) {
            return Err("it is another user's".to_owned());
        }
        let greeting = async {
            // Sent first, so that a process with another version learns of it.
            say_line(&mut stream).await.map_err(|error| error.to_string())?;
            hear_line(&mut stream).await.map_err(|error| format!("it {error}"))
        };
        let greeted = timeout(INTRODUCTION_TIMEOUT, greeting).await;
        greeted.unwrap_or_else(|_| Err("it says nothing".to_owned()))?;
        Ok(Successor { stream })
    }

    /// Tells it to wait. Cancel safe between frames.
    pub(super) async fn keep_waiting(&mut self) -> io::Result<()> {
        write(&mut self.stream, &Frame::Wait, b"").await
    }

    /// Hands over everything, with the listener of the hand-over socket.
    ///
    /// # Errors
    ///
    /// The newer process could not take over, and this one has everything back
    /// but the socket: it is to
    /// [take that back](super::listener::SuccessorListener::take_back), and then
    /// to [`refuse`](Self::refuse).
    pub(super) async fn hand_over(
        &mut self,
        listener: OwnedFd,
        resources: &Resources,
    ) -> Result<Follower, String> {
        let stream = &mut self.stream;
        let introduced = introduce(stream, listener, resources).await;
        let (process, signals) =
            introduced.map_err(|error| format!("it didn't get ready: {error}"))?;
        tracing::info!("hands over to process {process}");
        let deadline = Instant::now() + resources.stop_timeout * 3 / 4;
        let resting = resources.rest(deadline);
        if let Err(error) = while_waiting(stream, resting).await {
            resources.resume().await;
            return Err(format!("it has gone: {error}"));
        }
        let mut follower = Follower::new(resources);
        let letting_go = let_go(stream, &signals, resources, &mut follower);
        let has_let_go = timeout(TRANSFER_TIMEOUT, letting_go).await;
        match has_let_go.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(()) => Ok(follower),
            Err(error) => {
                follower.recover().await;
                resources.resume().await;
                Err(format!("the hand-over failed: {error}"))
            }
        }
    }

    /// Returns the connection to a process that has taken over.
    pub(super) fn into_link(self) -> Link {
        Link::new(self.stream)
    }

    /// Ends the connection to a process that could not take over.
    pub(super) async fn refuse(mut self, reason: String) {
        // It may be gone.
        let _ = write(&mut self.stream, &Frame::Refuse { reason }, b"").await;
    }
}

/// Introduces this process, and waits until the newer one is ready; returns its
/// process id and its signals.
async fn introduce(
    stream: &mut UnixStream,
    listener: OwnedFd,
    resources: &Resources,
) -> io::Result<(u32, Vec<String>)> {
    let sockets = resources.sockets.iter();
    let sockets = sockets.map(|HandedSocket { declared, address, .. }| wire::Socket {
        declared: *declared,
        address: *address,
    });
    let frame = Frame::Sockets { process: std::process::id(), sockets: sockets.collect() };
    write(stream, &frame, b"").await?;
    let descriptors = resources.sockets.iter().map(|handed| handed.socket.as_fd());
    for descriptor in descriptors.chain([listener.as_fd()]) {
        patiently(socket::send(stream, descriptor)).await?;
    }
    let ready = timeout(START_TIMEOUT, read(stream)).await;
    match ready.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?.0 {
        Frame::Ready { process, signals } => Ok((process, signals)),
        other => Err(unexpected(&other)),
    }
}

/// Does some work, and keeps the other process waiting meanwhile.
async fn while_waiting(stream: &mut UnixStream, work: impl Future<Output = ()>) -> io::Result<()> {
    let mut work = std::pin::pin!(work);
    let mut waits = interval(WAIT);
    loop {
        tokio::select! {
            () = &mut work => return Ok(()),
            _ = waits.tick() => write(stream, &Frame::Wait, b"").await?,
        }
    }
}

/// Lets the channels that both have follow, and makes the newer process the leader.
async fn let_go(
    stream: &mut UnixStream,
    theirs: &[String],
    resources: &Resources,
    follower: &mut Follower,
) -> io::Result<()> {
    let hub = resources.signals.hub();
    let now = seconds();
    let mut shared = Vec::new();
    let mut logs = Vec::new();
    for path in hub.paths() {
        if !theirs.iter().any(|theirs| theirs == path) {
            tracing::info!(path, "the newer process doesn't have this signal");
            continue;
        }
        // What has a carrier is in one order without these two.
        let channels = hub.channels_of(path).into_iter().flatten();
        for channel in channels.filter(|channel| !channel.is_carried()) {
            if let Some(log) = channel.log() {
                log.with(|log| log.keep_at_least(KEPT, now));
            }
            let Some(log) = follower.follow(channel).await? else { continue };
            let Position { epoch, number: next } = log.position();
            let number = log.gaps().find(|(path, _)| path.is_none()).map_or(next, |gap| gap.1);
            let (path, index) = (channel.path().to_owned(), channel.index());
            let earlier = log.earlier().to_vec();
            shared.push(wire::Shared { path, index, epoch, number, next, earlier });
            logs.push(log);
        }
    }
    let ticket_key = resources.tickets.key();
    let mut writer = BufWriter::new(&mut *stream);
    write(&mut writer, &Frame::Shared { channels: shared, ticket_key }, b"").await?;
    for (channel, log) in logs.iter().enumerate() {
        for (path, number) in log.gaps() {
            if let Some(path) = path {
                let path = path.as_ref().map(ToString::to_string);
                write(&mut writer, &Frame::Gap { channel, path, number }, b"").await?;
            }
        }
        for Kept { number, sent, entry } in log.kept() {
            let (what, payload) = pack_entry(&entry);
            let age = now.saturating_sub(sent);
            write(&mut writer, &Frame::Kept { channel, number, age, what }, payload).await?;
        }
        for change in log.presence().changes() {
            let change = WirePresence::from(&change);
            write(&mut writer, &Frame::Present { channel, change }, b"").await?;
        }
    }
    write(&mut writer, &Frame::Go, b"").await?;
    patiently(writer.flush()).await?;
    match read_soon(stream).await?.0 {
        Frame::Taken => write(stream, &Frame::Yours, b"").await,
        other => Err(unexpected(&other)),
    }
}
