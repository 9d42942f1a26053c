//! What becomes of a shard that panics.
//!
//! Nobody knows what was half done then, so all that it had ends: its clients
//! are closed by code 1011. A new shard without clients goes on with the
//! messages and with whoever comes, while the old one takes leave of those who
//! were there. If that panics, too, they are dropped.

use std::io;
use std::mem;

use pode_core::frame::Close;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::client::Client;
use super::readiness::Readiness;
use super::shard::{CLOSE_TIMEOUT, Shard};
use crate::base::supervisor::{Failure, Supervisor, caught, caught_now};
use crate::net::shutdown::told_to_stop;
use crate::push::session::DisconnectReason;

/// What a shard is called where somebody reads of it.
const TASK: &str = "the delivery of messages";

/// Holds the deadline once the server is to stop.
type Stopping = watch::Receiver<Option<Instant>>;

impl Shard {
    /// Delivers until `stopping` holds a deadline, or nobody is left to set
    /// one; then takes leave of all clients.
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

    /// Goes on as a new shard; the old one takes leave of the clients.
    ///
    /// # Errors
    ///
    /// The system has no descriptor left, although the clients gave theirs back.
    fn begin_again(&mut self, stopping: &Stopping) -> io::Result<()> {
        // The order by which one of these was to be let in may be lost.
        self.join_all();
        let readiness = Readiness::new().or_else(|_| {
            self.drop_all();
            Readiness::new()
        })?;
        let joins = mem::replace(&mut self.joins, mpsc::channel(1).1);
        let mut new = Shard::with(readiness, joins);
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
        // Who has much to read yet would read of this too late.
        let say = |client: &mut Client| client.close(&Close::FAILED, end);
        let ended = caught(self.close_all(say, deadline, stopped)).await;
        if let Err(panic) = ended {
            Supervisor::new(TASK).tell(&panic, "the clients that it still had are dropped");
        }
    }
}
