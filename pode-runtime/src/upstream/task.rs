//! The task that keeps an upstream connected.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::backoff::Backoff;
use super::connect::Destination;
use super::connection::{End, serve};
use super::declared::DeclaredUpstream;
use super::sender::Sender;
use crate::base::error::with_causes;
use crate::base::random::chance;
use crate::base::supervisor::{Supervisor, finish_by};
use crate::base::token_bucket::TokenBucket;
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
        let mut told = Told::new();
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
                    let told = async {
                        told.connected().await;
                        tracing::info!("{self} is connected to {}", destination.url());
                        pending().await
                    };
                    let end = tokio::select! {
                        biased;
                        () = told => unreachable!("it is pending"),
                        end = serve(self, socket, context, stopping) => end,
                    };
                    match end {
                        End::Stopping => return,
                        end => end.to_string(),
                    }
                }
                Err(error) => with_causes(&error),
            };
            let delay = backoff.next(chance());
            if told.failed(&reason) {
                tracing::warn!(
                    "{self} at {}: {reason}; next try in {:.1?}",
                    destination.url(),
                    delay
                );
            }
            tokio::select! {
                biased;
                _ = stopping.wait_for(Option::is_some) => return,
                () = sleep(delay) => {}
            }
        }
    }
}

/// What the log says of an upstream: that it is connected, or why not. Its last
/// word is never that an upstream is connected which isn't.
#[derive(Debug)]
struct Told {
    /// `None` if it is connected, or at first.
    failure: Option<String>,
    is_connected: bool,
    lines: TokenBucket,
}

/// How many lines there may be at once, and how often another one.
const MOST_LINES: u32 = 10;
const LINE_INTERVAL: Duration = Duration::from_secs(30);

impl Told {
    fn new() -> Told {
        Told { failure: None, is_connected: false, lines: TokenBucket::new() }
    }

    /// Waits until it may be logged that there is a connection. Cancel safe.
    async fn connected(&mut self) {
        // The line that will say that it has ended is taken, too.
        while !self.lines.take(MOST_LINES - 1, LINE_INTERVAL) {
            sleep(LINE_INTERVAL).await;
        }
        self.lines.take(MOST_LINES, LINE_INTERVAL);
        (self.failure, self.is_connected) = (None, true);
    }

    /// Notes the end of a connection or of an attempt, and returns whether to log
    /// it.
    fn failed(&mut self, reason: &str) -> bool {
        let is_news = self.failure.as_deref() != Some(reason);
        let tell = std::mem::take(&mut self.is_connected)
            || is_news && self.lines.take(MOST_LINES, LINE_INTERVAL);
        if tell {
            self.failure = Some(reason.to_owned());
        }
        tell
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

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_upstream_that_keeps_failing_writes_few_lines() {
        let mut told = Told::new();
        let mut lines = Vec::new();
        for second in 0..1000 {
            // It is refused, can't be reached, and then is connected, but not for long.
            let reason = if second < 100 { "refused" } else { "unreachable" };
            if told.failed(reason) {
                lines.push((second, reason));
            }
            if second > 200 && told.connected().now_or_never().is_some() {
                lines.push((second, "connected"));
            }
            advance(Duration::from_secs(1)).await;
        }
        let beginning = [
            (0, "refused"),
            (100, "unreachable"),
            (201, "connected"),
            (202, "unreachable"),
            (202, "connected"),
            (203, "unreachable"),
        ];
        assert_eq!(lines[..6], beginning);
        assert!(lines.len() <= 10 + 1000 / 30, "{lines:?}");
        assert!(lines.len() > 20, "{lines:?}");
        let pairs = lines.windows(2).filter(|pair| pair[0].1 == "connected");
        assert!(pairs.into_iter().all(|pair| pair[1] == (pair[0].0 + 1, "unreachable")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_lasts_is_told() {
        let mut told = Told::new();
        for reason in 0..100 {
            told.failed(&reason.to_string());
        }
        told.connected().await;
        assert!(told.failed("99"), "its end is told, too");
        assert!(!told.failed("99"));
    }
}
