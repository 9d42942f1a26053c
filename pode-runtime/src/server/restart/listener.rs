//! The listener at which newer processes ask for a hand-over.
//!
//! Each connection has a task of its own until its process has introduced itself
//! and its turn has come. So whoever says nothing holds up nobody.

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::socket::{self, SocketFile};
use super::successor::{Successor, WAIT};
use crate::base::supervisor::{caught, has_ended, unwinding_stops_here};
use crate::base::trouble::Trouble;

/// How many connections there are at once. Others wait to be accepted.
const MOST_CONNECTIONS: usize = 16;

/// How long to pause after `accept` fails.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct SuccessorListener {
    // Dropped first: as long as the socket listens, no other process replaces
    // the file.
    file: SocketFile,
    listener: UnixListener,
    /// Each ends with a successor whose turn it is, or with the reason why its
    /// peer is none.
    connections: JoinSet<Result<Successor, String>>,
    /// One permit for each successor that is asked for.
    turns: Arc<Semaphore>,
    /// Whether a permit is there, or with a connection that ends by it.
    is_asked_for: bool,
    resting_until: Instant,
    /// That `accept` fails.
    trouble: Trouble,
}

impl SuccessorListener {
    pub(super) fn new((listener, file): (UnixListener, SocketFile)) -> SuccessorListener {
        SuccessorListener {
            file,
            listener,
            connections: JoinSet::new(),
            turns: Arc::new(Semaphore::new(0)),
            is_asked_for: false,
            resting_until: Instant::now(),
            trouble: Trouble::default(),
        }
    }

    /// Waits for a newer process. Cancel safe.
    pub(super) async fn next(&mut self) -> Successor {
        if !std::mem::replace(&mut self.is_asked_for, true) {
            self.turns.add_permits(1);
        }
        loop {
            if let Some(successor) = self.step().await {
                self.is_asked_for = false;
                return successor;
            }
        }
    }

    /// Keeps newer processes waiting, for ever. Cancel safe. A panic stops here:
    /// it doesn't concern the hand-over beside this.
    pub(super) async fn attend(&mut self) -> Infallible {
        loop {
            let _ = caught(self.step()).await;
        }
    }

    /// Returns a duplicate of the socket, for a newer process. From now on its
    /// file stays, whichever process ends.
    pub(super) fn lend(&mut self) -> io::Result<OwnedFd> {
        self.file.is_own = false;
        self.listener.as_fd().try_clone_to_owned()
    }

    /// Makes the file of a socket that was lent this process's own again.
    pub(super) fn keep(&mut self) {
        self.file.is_own = true;
    }

    /// Returns whether other processes find this one by the socket's file.
    pub(super) fn is_found(&self) -> bool {
        self.file.is_there()
    }

    /// Sends newer processes that wait away, so that they look for the process
    /// that has taken over.
    pub(super) fn send_away(&mut self) {
        self.connections = JoinSet::new();
        self.turns = Arc::new(Semaphore::new(0));
        self.is_asked_for = false;
    }

    /// Replaces a socket that was lent by a new one, so that the newer process
    /// sees that the role is no longer its own, whenever it looks.
    pub(super) fn take_back(&mut self) {
        self.send_away();
        match socket::listen(self.file.path()) {
            Ok((listener, file)) => (self.listener, self.file) = (listener, file),
            Err(error) => {
                self.keep();
                self.file.remove();
                unwinding_stops_here(|| {
                    tracing::error!(%error, "no newer process can take over: the hand-over socket can't be renewed");
                });
            }
        }
    }

    /// Accepts a connection, or returns the successor whose turn it is. Cancel
    /// safe.
    async fn step(&mut self) -> Option<Successor> {
        let SuccessorListener { listener, resting_until, trouble, .. } = self;
        tokio::select! {
            stream = accept(listener, resting_until, trouble),
                if self.connections.len() < MOST_CONNECTIONS =>
            {
                self.connections.spawn(introduce(stream, Arc::clone(&self.turns)));
                None
            }
            Some(ended) = self.connections.join_next() => match ended {
                Ok(Ok(successor)) => Some(successor),
                Ok(Err(reason)) => {
                    tracing::warn!("a process could not take over: {reason}");
                    None
                }
                panicked => {
                    has_ended(panicked);
                    None
                }
            },
        }
    }
}

/// Waits for a connection. Cancel safe.
async fn accept(
    listener: &UnixListener,
    resting_until: &mut Instant,
    trouble: &mut Trouble,
) -> UnixStream {
    loop {
        sleep_until(*resting_until).await;
        match listener.accept().await {
            Ok((stream, _)) => {
                if trouble.ends() {
                    tracing::info!("newer processes can connect again");
                }
                return stream;
            }
            Err(error) => {
                if trouble.begins() {
                    tracing::error!(%error, "no newer process can connect, trying again every second");
                }
                *resting_until = Instant::now() + PAUSE;
            }
        }
    }
}

/// Lets a peer introduce itself, and keeps it waiting until its turn comes.
async fn introduce(stream: UnixStream, turns: Arc<Semaphore>) -> Result<Successor, String> {
    let mut successor = Successor::greet(stream).await?;
    let mut turn = std::pin::pin!(turns.acquire_owned());
    loop {
        match timeout(WAIT, &mut turn).await {
            Ok(turn) => {
                // It counts for one successor.
                turn.map_err(|error| error.to_string())?.forget();
                return Ok(successor);
            }
            Err(_) => {
                let waits = successor.keep_waiting().await;
                waits.map_err(|error| format!("it has gone: {error}"))?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use socket2::{Domain, Socket, Type};
    use tokio::io::AsyncWriteExt;

    use super::super::socket::tests::path;
    use super::super::wire::say_line;
    use super::*;
    use crate::base::log::Collected;

    #[tokio::test(start_paused = true)]
    async fn that_nobody_can_be_heard_is_told_once() {
        let (log, _guard) = Collected::begin();
        // The socket doesn't listen, so that each `accept` fails.
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let deaf = UnixListener::from_std(OwnedFd::from(socket).into()).unwrap();
        let (path, _folder) = path("deaf");
        let (_, file) = socket::listen(&path).unwrap();
        let mut listener = SuccessorListener::new((deaf, file));
        timeout(Duration::from_secs(3600), listener.next()).await.err().unwrap();
        let text = log.text();
        assert!(text.contains("ERROR no newer process can connect"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }

    #[tokio::test]
    async fn who_says_nothing_holds_up_nobody() {
        let (path, _folder) = path("silent");
        let mut listener = SuccessorListener::new(socket::listen(&path).unwrap());
        let mut strangers = Vec::new();
        for _ in 0..MOST_CONNECTIONS - 1 {
            let mut stream = UnixStream::connect(&path).await.unwrap();
            stream.write_all(b"pode").await.unwrap();
            strangers.push(stream);
        }
        let mut newer = UnixStream::connect(&path).await.unwrap();
        say_line(&mut newer).await.unwrap();
        listener.next().await;
        assert_eq!(listener.connections.len(), MOST_CONNECTIONS - 1, "they still have time");
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_for_long_makes_room() {
        let (path, _folder) = path("crowd");
        let mut listener = SuccessorListener::new(socket::listen(&path).unwrap());
        let mut strangers = Vec::new();
        for _ in 0..3 * MOST_CONNECTIONS {
            strangers.push(UnixStream::connect(&path).await.unwrap());
        }
        let mut newer = UnixStream::connect(&path).await.unwrap();
        say_line(&mut newer).await.unwrap();
        listener.next().await;
        assert!(listener.connections.len() < MOST_CONNECTIONS);
    }
}
