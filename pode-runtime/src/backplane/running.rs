//! Starting the node of a server, and ending it with the server.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pode_core::backplane::check_name;
use pode_core::hub::Channel;
use pode_core::redis_url::RedisUrlError;
use pode_core::{RedisUrl, SendError};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::carrier::{Carrier, CarrierError};
use super::node::{CUT_OFF, Node};
use super::options::{Backplane, BackplaneStart};
use super::presence::tell_presence;
use super::reader::NodeReader;
use super::redis::{Redis, StreamOptions};
use super::writer::NodeWriter;
use crate::app::context::Context;
use crate::app::readiness::{Readiness, Unready};
use crate::base::error::StartError;
use crate::base::supervisor::{Failure, caught};
use crate::jobs::claim::Slots;
use crate::push::engine::Envelope;

/// How long a start waits for the backplane.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a stop waits until others have what this node leaves to them.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// A node that carries messages as long as this lives.
pub(crate) struct RunningBackplane {
    node: Arc<Node<Redis>>,
    _tasks: JoinSet<()>,
    /// Where it is, without user and password.
    url: String,
    start: BackplaneStart,
}

/// Carries messages of a node until nobody receives any more.
pub(super) async fn carry<C: Carrier>(node: Arc<Node<C>>) -> SendError {
    let (begin, begun) = oneshot::channel();
    let claims = Arc::clone(&node.claims);
    let writing = NodeWriter::new(Arc::clone(&node), begin).run();
    let telling = tell_presence(Arc::clone(&node));
    let reading = async {
        match begun.await {
            Ok(begun) => NodeReader::new(node, begun).run().await,
            // The writer, which lets it begin, never ends.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        error = reading => error,
        never = writing => match never {},
        never = claims.run() => match never {},
        never = telling => match never {},
    }
}

/// Reports whether what the node appends comes back.
async fn watch(mut heard: watch::Receiver<u64>, readiness: Arc<Readiness>) {
    readiness.report(Unready::CutOff);
    loop {
        match timeout(CUT_OFF, heard.changed()).await {
            Ok(Ok(())) => readiness.take_back(Unready::CutOff),
            Ok(Err(_)) => return,
            Err(_) => readiness.report(Unready::CutOff),
        }
    }
}

impl Backplane {
    /// Begins to carry what a server sends. `folder` is the crate's, while developing.
    ///
    /// # Errors
    ///
    /// The URL, computed by an expression, is invalid, or can't be used here; or the
    /// roots can't.
    pub(crate) fn begin(
        self,
        server: &str,
        folder: Option<&Path>,
        context: &Context,
        readiness: &Arc<Readiness>,
        failure: &Failure,
    ) -> Result<RunningBackplane, StartError> {
        let Backplane { url, options, lasting } = self;
        let parsed: RedisUrl = url.parse().map_err(|reason: RedisUrlError| {
            let reason = format!("{reason}; {}", reason.help());
            StartError::Backplane { url: "an address that isn't one".to_owned(), reason }
        })?;
        let (url, name) = (parsed.to_string(), options.name.as_str().unwrap_or(server));
        check_name(name).map_err(|error| {
            let (url, reason) = (url.clone(), format!("{error}; {}", error.help()));
            StartError::Backplane { url, reason }
        })?;
        let streams = context.signals.hub().channels().map(|channel| StreamOptions {
            name: stream_name(channel),
            // As many as there are keys in the history of a node, if those are more.
            last_messages: lasting.get(channel.path()).map(|_| {
                let bounds = channel.log().map(|log| log.with(|log| log.bounds()));
                bounds.unwrap_or_default().messages.max(options.kept_messages)
            }),
        });
        let unusable = |CarrierError { reason, .. }| {
            let url = url.clone();
            StartError::Backplane { url, reason }
        };
        let carrier = Redis::new(parsed, name, streams, &options, folder).map_err(unusable)?;
        let node = Node::new(carrier, context, &lasting);
        let (running, failure) = (Arc::clone(&node), failure.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // It ends when nobody receives any more.
            if let Err(panic) = caught(carry(running)).await {
                failure.report("the backplane", format!("it panicked: {}", panic.words()));
            }
        });
        tasks.spawn(watch(node.heard.subscribe(), Arc::clone(readiness)));
        Ok(RunningBackplane { node, _tasks: tasks, url, start: options.start })
    }
}

impl RunningBackplane {
    /// Returns what says which node fires what only one of them does.
    pub(crate) fn slots(&self) -> Arc<dyn Slots> {
        Arc::clone(&self.node) as _
    }

    /// Waits until the node has read all that there was, as a start does.
    ///
    /// # Errors
    ///
    /// It can't be used, or not reached in ten seconds; unless the server is to start
    /// anyway.
    pub(crate) async fn started(&self) -> Result<(), StartError> {
        if self.start == BackplaneStart::Anyway {
            return Ok(());
        }
        let failed = |reason| Err(StartError::Backplane { url: self.url.clone(), reason });
        let loaded = async {
            tokio::select! {
                () = self.node.loaded() => Ok(()),
                reason = self.node.is_unusable() => failed(reason),
            }
        };
        match timeout(START_TIMEOUT, loaded).await {
            Ok(started) => started,
            Err(_) => failed(self.node.trouble().unwrap_or_else(|| {
                format!("what it keeps wasn't read within {} s", START_TIMEOUT.as_secs())
            })),
        }
    }

    /// Leaves what this node knows of clients to another one, if it can be told soon.
    pub(crate) async fn leave(&self, deadline: Instant) {
        if self.node.trouble().is_none() {
            let deadline = deadline.min(Instant::now() + LEAVE_TIMEOUT);
            // Or others know nothing of it.
            let _ = timeout_at(deadline, self.node.claims.leave()).await;
        }
    }
}

/// Returns the name of a channel's stream; the paths of a family have several.
fn stream_name(channel: &Channel<Envelope>) -> String {
    let (path, index) = (channel.path(), channel.index());
    match path.contains(':') {
        true => format!("{path}:{index}"),
        false => path.to_owned(),
    }
}
