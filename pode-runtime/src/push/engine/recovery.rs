//! What happens after a shard panics.
//!
//! Its state may be inconsistent, so all of it is given up: its clients are
//! closed with code 1011. A new shard without clients takes over the messages
//! and new clients, while the old shard closes its clients. If that panics,
//! too, they are dropped.

use std::io;
use std::mem;

use pode_core::frame::Close;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::client::Client;
use super::closing::CLOSE_TIMEOUT;
use super::readiness::Readiness;
use super::shard::Shard;
use crate::base::supervisor::{Failure, Supervisor, caught, caught_now};
use crate::net::shutdown::told_to_stop;
use crate::push::session::DisconnectReason;

/// The name of a shard in the log.
const TASK: &str = "the delivery of messages";

/// Holds the deadline once the server is to stop.
type Stopping = watch::Receiver<Option<Instant>>;

impl Shard {
    /// Delivers until `stopping` holds a deadline or its sender is gone; then
    /// closes all clients.
    pub(super) async fn run(mut self, mut stopping: Stopping, failure: Failure) {
        let mut supervisor = Supervisor::new(TASK);
        while let Err(panic) = caught(self.deliver_all(&mut stopping)).await {
            supervisor.tell(&panic, "its clients are closed by code 1011, and it starts again");
            let begun = caught_now(|| self.begin_again(&stopping));
            let reason = match begun {
                Ok(Ok(())) => {
                    supervisor.pause().await;
                    continue;
                }
                Ok(Err(error)) => format!("can't watch the sockets of clients: {error}"),
                Err(panic) => format!("it panicked again: {}", panic.words()),
            };
            return failure.report(TASK, reason);
        }
    }

    /// Goes on as a new shard; the old one closes its clients.
    ///
    /// # Errors
    ///
    /// The system has no file descriptor left, although the clients'
    /// descriptors were closed.
    fn begin_again(&mut self, stopping: &Stopping) -> io::Result<()> {
        // The command that was to admit one of these clients may be lost.
        self.join_all();
        let readiness = Readiness::new().or_else(|_| {
            self.drop_all();
            Readiness::new()
        })?;
        let joins = mem::replace(&mut self.joins, mpsc::channel(1).1);
        let mut new = Shard::with(readiness, self.renews.clone(), joins);
        for path in &mut self.paths {
            new.add(|waker| path.begin_again(waker));
        }
        let old = mem::replace(self, new);
        tokio::spawn(old.end_all(stopping.clone()));
        Ok(())
    }

    async fn end_all(mut self, mut stopping: Stopping) {
        let deadline = Instant::now() + CLOSE_TIMEOUT;
        let stopped = async { sleep_until(told_to_stop(&mut stopping).await).await };
        let end = DisconnectReason::ByServer { code: 1011 };
        // A client with many waiting messages would get the close frame too
        // late behind them.
        let say = |client: &mut Client, _| client.close(&Close::FAILED, end);
        let ended = caught(self.close_all(say, CLOSE_TIMEOUT, deadline, stopped)).await;
        if let Err(panic) = ended {
            Supervisor::new(TASK).tell(&panic, "the clients that it still had are dropped");
        }
    }
}
