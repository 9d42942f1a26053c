//! The server's state that the parts of a hand-over share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use crate::app::context::Context;
use crate::app::readiness::{Readiness, Unready};
use crate::app::sequences::Sequences;
use crate::app::tickets::Tickets;
use crate::jobs::gate::JobGate;
use crate::net::listen::HandedSocket;
use crate::push::publisher::Signals;
use crate::upstream::UpstreamTasks;

/// The resources that a server lets go of when it hands over.
pub(crate) struct Resources {
    pub(crate) signals: Signals,
    pub(crate) tickets: Arc<Tickets>,
    pub(crate) sequences: Arc<Sequences>,
    pub(crate) gate: JobGate,
    pub(crate) upstream_tasks: Arc<Mutex<UpstreamTasks<Arc<Context>>>>,
    /// Whether connections are accepted.
    pub(crate) accepting: watch::Sender<bool>,
    pub(crate) readiness: Arc<Readiness>,
    /// Whether no other process has the listening sockets, too. Otherwise this one must
    /// not accept what is meant for that one only to say that it stops.
    pub(crate) alone: watch::Sender<bool>,
    /// Duplicates of the listening sockets.
    pub(crate) sockets: Vec<HandedSocket>,
    pub(crate) drain: Duration,
    pub(crate) stop_timeout: Duration,
}

impl Resources {
    /// Stops jobs, upstreams and accepting; running handlers have until the
    /// deadline, and then as long as the server has clients.
    pub(super) async fn rest(&self, deadline: Instant) {
        let upstream_tasks = async { self.upstream_tasks.lock().await.stop(deadline).await };
        let (are_done, ()) = tokio::join!(self.gate.hold(deadline), upstream_tasks);
        if !are_done {
            tracing::warn!("a timer or a schedule is still running while another process begins");
        }
        // First, so that no answer that ends a connection says otherwise.
        self.readiness.report(Unready::HandedOver);
        self.accepting.send_replace(false);
    }

    /// Resumes all of these.
    pub(super) async fn resume(&self) {
        self.readiness.take_back(Unready::HandedOver);
        self.accepting.send_replace(true);
        self.gate.release();
        self.upstream_tasks.lock().await.resume();
    }
}

/// How far the hand-over of a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// No process has taken over.
    Serving,
    /// Another process has taken over, and clients are being told to reconnect
    /// there.
    Draining,
    /// All clients have been told.
    Drained,
    /// This process can't go on, and another one has or is taking everything.
    Failed,
}

/// What a server that hands over requests from its follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Nothing,
    /// Close all clients now.
    Hurry,
    /// End as soon as everything that was sent is on its way.
    End,
}
