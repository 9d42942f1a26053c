//! A declared upstream, and the task that keeps it connected.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use pode_core::UpstreamName;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::backoff::{Backoff, chance};
use super::connect::Destination;
use super::connection::{End, serve};
use super::line::Line;
use crate::app::event::{House, UpstreamEvent};
use crate::base::error::{StartError, with_causes};
use crate::base::outcome::{BoxError, Outcome, failure};
use crate::base::supervisor::Supervisor;
use crate::upstream::UpstreamOptions;

/// How much the log is told of a message that can't be read, and of the reason,
/// which may quote it.
const SHOWN_CHARACTERS: usize = 200;

/// A declared upstream.
pub(crate) struct Feed {
    line: Arc<Line>,
    url: String,
    options: UpstreamOptions,
    receive: Receive,
    /// What each connection begins with.
    begin: Option<Begin>,
}

type Done = BoxFuture<'static, Result<(), BoxError>>;
type Receive = Box<dyn Fn(&Arc<House>, &str) -> Result<Done, serde_json::Error> + Send + Sync>;
type Begin = Box<dyn Fn(&Arc<House>) -> Done + Send + Sync>;

impl Feed {
    pub(crate) fn new<Sends, Receives, Handler, Done>(
        name: UpstreamName<Sends, Receives>,
        url: String,
        options: UpstreamOptions,
        send_timeout: Duration,
        handler: Handler,
    ) -> Feed
    where
        Sends: 'static,
        Receives: DeserializeOwned + 'static,
        Handler: Fn(UpstreamEvent<Sends>, Receives) -> Done + Send + Sync + 'static,
        Done: Future<Output: Outcome> + Send + 'static,
    {
        let line = Line::new(name.as_str(), options.max_message_bytes, send_timeout);
        let receive: Receive = Box::new(move |house, text| {
            let received = serde_json::from_str(text)?;
            let done = handler(UpstreamEvent::new(name, Arc::clone(house)), received);
            Ok(async move { done.await.into_result() }.boxed())
        });
        Feed { line: Arc::new(line), url, options, receive, begin: None }
    }

    /// Sets what each connection begins with.
    pub(crate) fn on_connect<Sends, Receives, Handler, Done>(
        &mut self,
        name: UpstreamName<Sends, Receives>,
        handler: Handler,
    ) where
        Sends: 'static,
        Receives: 'static,
        Handler: Fn(UpstreamEvent<Sends>) -> Done + Send + Sync + 'static,
        Done: Future<Output: Outcome> + Send + 'static,
    {
        self.begin = Some(Box::new(move |house| {
            let done = handler(UpstreamEvent::new(name, Arc::clone(house)));
            async move { done.await.into_result() }.boxed()
        }));
    }

    pub(super) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    #[cfg(test)]
    pub(crate) fn options(&self) -> &UpstreamOptions {
        &self.options
    }

    /// Finds out where it is.
    ///
    /// # Errors
    ///
    /// What the compiler could not see is wrong: the URL or the roots.
    pub(crate) fn destination(&self, folder: Option<&Path>) -> Result<Destination, StartError> {
        Destination::new(self.line.name(), &self.url, &self.options, folder)
    }

    /// Returns how often the other server is asked for a sign of life, if it
    /// is.
    pub(super) fn heartbeat(&self) -> Option<Duration> {
        let heartbeat = self.options.heartbeat;
        (!heartbeat.is_zero()).then_some(heartbeat)
    }

    /// Returns for how long it may give none.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.heartbeat().map(|heartbeat| heartbeat * 2)
    }

    /// Does what each connection begins with, and tells whether that worked.
    pub(super) async fn begin(&self, house: &Arc<House>) -> bool {
        let Some(begin) = &self.begin else { return true };
        // Calling a handler may panic, too, where it isn't an `async fn`.
        let failure = failure(async { begin(house).await }).await;
        if let Some(reason) = &failure {
            tracing::error!("{self}: `on_connect`: {reason:?}");
        }
        failure.is_none()
    }

    /// Runs the handler for a message.
    pub(super) async fn receive(&self, house: &Arc<House>, text: &str) {
        let handled = async {
            match (self.receive)(house, text) {
                Ok(done) => done.await,
                Err(error) => {
                    self.skip(&error.to_string(), text);
                    Ok(())
                }
            }
        };
        if let Some(reason) = failure(handled).await {
            tracing::error!("{self}: {reason:?}");
        }
    }

    /// Tells of a message that the handler doesn't get.
    pub(super) fn skip(&self, reason: &str, text: &str) {
        let [reason, begin] =
            [reason, text].map(|whole| whole.chars().take(SHOWN_CHARACTERS).collect::<String>());
        tracing::warn!("{self}: a message is skipped: {reason:?}; it begins with {begin:?}");
    }

    /// Connects again and again, until `stopping` holds a deadline. A handler
    /// that runs then is let finish; dropping the future cuts it off.
    async fn run(
        &self,
        destination: &Destination,
        house: &Arc<House>,
        mut stopping: watch::Receiver<Option<Instant>>,
    ) {
        let _stopped = StopWhenDropped(&self.line);
        let UpstreamOptions { reconnect_delay, max_reconnect_delay, .. } = self.options;
        let mut backoff = Backoff::new(reconnect_delay, max_reconnect_delay);
        let mut supervisor = Supervisor::new(self);
        let mut connect =
            async || self.connect(destination, house, &mut stopping, &mut backoff).await;
        while supervisor.watch(connect()).await.is_none() {
            self.line.disconnect();
        }
    }

    async fn connect(
        &self,
        destination: &Destination,
        house: &Arc<House>,
        stopping: &mut watch::Receiver<Option<Instant>>,
        backoff: &mut Backoff,
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
                    tracing::info!("{self} is connected to {}", destination.url());
                    match serve(self, socket, house, stopping).await {
                        End::Stopping => return,
                        end => end.to_string(),
                    }
                }
                Err(error) => with_causes(&error),
            };
            let delay = backoff.next(chance());
            tracing::warn!("{self} at {}: {reason}; next try in {delay:?}", destination.url());
            tokio::select! {
                biased;
                _ = stopping.wait_for(Option::is_some) => return,
                () = sleep(delay) => {}
            }
        }
    }
}

impl fmt::Display for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "upstream `{}`", self.line.name())
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("name", &self.line.name()).finish_non_exhaustive()
    }
}

/// Tells those who send that there is no other connection to wait for, however
/// the task ends.
struct StopWhenDropped<'feed>(&'feed Line);

impl Drop for StopWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The upstreams of a running server, each in a task of its own. Dropping it
/// cuts them off.
pub(crate) struct Feeds {
    feeds: Arc<[(Feed, Destination)]>,
    house: Arc<House>,
    /// Holds a deadline while they are to be at rest.
    stopping: watch::Sender<Option<Instant>>,
    tasks: JoinSet<()>,
}

impl Feeds {
    /// Starts all of them on the current runtime, each with its destination.
    pub(crate) fn start(
        feeds: Vec<Feed>,
        destinations: Vec<Destination>,
        house: &Arc<House>,
    ) -> Feeds {
        let mut feeds = Feeds {
            feeds: feeds.into_iter().zip(destinations).collect(),
            house: Arc::clone(house),
            stopping: watch::Sender::new(None),
            tasks: JoinSet::new(),
        };
        feeds.begin();
        feeds
    }

    fn begin(&mut self) {
        for index in 0..self.feeds.len() {
            let (feeds, house) = (Arc::clone(&self.feeds), Arc::clone(&self.house));
            let stopping = self.stopping.subscribe();
            self.tasks.spawn(async move {
                let (feed, destination) = &feeds[index];
                feed.run(destination, &house, stopping).await;
            });
        }
    }

    /// Starts them anew after a [`stop`](Self::stop).
    pub(crate) fn resume(&mut self) {
        self.stopping.send_replace(None);
        for (feed, _) in &*self.feeds {
            feed.line.disconnect();
        }
        self.begin();
    }

    /// Has them end; waits for the handlers that still run and for the other
    /// servers to take leave, at most until the deadline, then cuts them off.
    pub(crate) async fn stop(&mut self, deadline: Instant) {
        self.stopping.send_replace(Some(deadline));
        let all_ended = async { while self.tasks.join_next().await.is_some() {} };
        let _ = timeout_at(deadline, all_ended).await;
        self.tasks.shutdown().await;
    }
}
