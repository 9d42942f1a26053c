//! The task that keeps an upstream connected.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::backoff::{Backoff, chance};
use super::connect::Destination;
use super::connection::{End, serve};
use super::declared::DeclaredUpstream;
use super::sender::Sender;
use crate::base::error::with_causes;
use crate::base::supervisor::{Supervisor, finish_by};
use crate::base::trouble::Trouble;
use crate::upstream::UpstreamOptions;

impl<Context> DeclaredUpstream<Context> {
    /// Connects again and again, until `stopping` holds a deadline. A handler
    /// that runs then may finish; dropping the future aborts it.
    async fn run(
        &self,
        destination: &Destination,
        context: &Context,
        mut stopping: watch::Receiver<Option<Instant>>,
    ) {
        let _stopped = StopWhenDropped(self.sender());
        let UpstreamOptions { reconnect_delay, max_reconnect_delay, .. } = *self.options();
        let mut backoff = Backoff::new(reconnect_delay, max_reconnect_delay);
        let mut told = Told::default();
        let mut supervisor = Supervisor::new(self);
        let mut connect = async || {
            self.connect(destination, context, &mut stopping, &mut backoff, &mut told).await;
        };
        while supervisor.watch(connect()).await.is_none() {
            self.sender().disconnect();
        }
    }

    async fn connect(
        &self,
        destination: &Destination,
        context: &Context,
        stopping: &mut watch::Receiver<Option<Instant>>,
        backoff: &mut Backoff,
        told: &mut Told,
    ) {
        loop {
            let attempt = tokio::select! {
                biased;
                _ = stopping.wait_for(Option::is_some) => return,
                attempt = destination.connect() => attempt,
            };
            let reason = match attempt {
                Ok(socket) => {
                    backoff.connected();
                    if told.connected() {
                        tracing::info!("{self} is connected to {}", destination.url());
                    }
                    match serve(self, socket, context, stopping).await {
                        End::Stopping => return,
                        end => end.to_string(),
                    }
                }
                Err(error) => with_causes(&error),
            };
            let delay = backoff.next(chance());
            if told.failed(&reason) {
                tracing::warn!("{self} at {}: {reason}; next try in {delay:?}", destination.url());
            }
            tokio::select! {
                biased;
                _ = stopping.wait_for(Option::is_some) => return,
                () = sleep(delay) => {}
            }
        }
    }
}

/// What the log says of an upstream: that it is connected, or why not.
#[derive(Debug, Default)]
struct Told {
    trouble: Trouble,
    /// Why not, as it was logged last; empty at first.
    reason: String,
    /// Whether the first connection was logged.
    connected: bool,
}

impl Told {
    /// Notes a connection, and returns whether to log it: the first one, and
    /// each that ends a trouble which was logged.
    fn connected(&mut self) -> bool {
        self.trouble.ends() | !std::mem::replace(&mut self.connected, true)
    }

    /// Notes the end of a connection or of an attempt, and returns whether to log
    /// it. Another reason than before is another trouble.
    fn failed(&mut self, reason: &str) -> bool {
        if self.reason != reason {
            self.trouble.ends();
        }
        let begins = self.trouble.begins();
        if begins {
            reason.clone_into(&mut self.reason);
        }
        begins
    }
}

/// Tells senders that there is no other connection to wait for, however the
/// task ends.
struct StopWhenDropped<'upstream>(&'upstream Sender);

impl Drop for StopWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The upstreams of a running server, each in a task of its own. Dropping it
/// aborts them.
pub(crate) struct UpstreamTasks<Context> {
    upstreams: Arc<[(DeclaredUpstream<Context>, Destination)]>,
    context: Context,
    /// Holds a deadline while they are stopped.
    stopping: watch::Sender<Option<Instant>>,
    tasks: JoinSet<()>,
}

impl<Context: Clone + Send + Sync + 'static> UpstreamTasks<Context> {
    /// Starts all of them on the current runtime, each with its destination.
    pub(crate) fn start(
        upstreams: Vec<DeclaredUpstream<Context>>,
        destinations: Vec<Destination>,
        context: Context,
    ) -> UpstreamTasks<Context> {
        let mut upstreams = UpstreamTasks {
            upstreams: upstreams.into_iter().zip(destinations).collect(),
            context,
            stopping: watch::Sender::new(None),
            tasks: JoinSet::new(),
        };
        upstreams.begin();
        upstreams
    }

    fn begin(&mut self) {
        for index in 0..self.upstreams.len() {
            let (upstreams, context) = (Arc::clone(&self.upstreams), self.context.clone());
            let stopping = self.stopping.subscribe();
            self.tasks.spawn(async move {
                let (upstream, destination) = &upstreams[index];
                upstream.run(destination, &context, stopping).await;
            });
        }
    }

    /// Restarts them after a [`stop`](Self::stop).
    pub(crate) fn resume(&mut self) {
        self.stopping.send_replace(None);
        for (upstream, _) in &*self.upstreams {
            upstream.sender().disconnect();
        }
        self.begin();
    }

    /// Ends them. Waits for the handlers that still run and for the other
    /// servers to close, at most until the deadline, then aborts the tasks.
    pub(crate) async fn stop(&mut self, deadline: Instant) {
        self.stopping.send_replace(Some(deadline));
        finish_by(&mut self.tasks, deadline, "upstreams").await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_upstream_that_keeps_failing_writes_a_line_a_minute_at_most() {
        let mut told = Told::default();
        let mut lines = Vec::new();
        for second in 0..300 {
            // It is refused, can't be reached, and then is connected, but not for long.
            let reason = if second < 100 { "refused" } else { "unreachable" };
            if told.failed(reason) {
                lines.push((second, reason));
            }
            if second > 200 && told.connected() {
                lines.push((second, "connected"));
            }
            advance(Duration::from_secs(1)).await;
        }
        let expected = [
            (0, "refused"),
            (100, "unreachable"),
            (201, "connected"),
            (202, "unreachable"),
            (202, "connected"),
            (262, "unreachable"),
            (262, "connected"),
        ];
        assert_eq!(lines, expected);
    }
}
