//! Whether timers and schedules may fire.

use std::sync::Arc;

use tokio::sync::{OwnedRwLockReadGuard, RwLock, watch};
use tokio::time::{Instant, timeout_at};

/// Whether timers and schedules may fire: they may not while another process
/// is about to take over. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct JobGate {
    held: watch::Sender<bool>,
    /// Shared by the handlers that run.
    running: Arc<RwLock<()>>,
}

impl Default for JobGate {
    fn default() -> JobGate {
        JobGate { held: watch::Sender::new(false), running: Arc::default() }
    }
}

impl JobGate {
    /// Waits until a handler may run, which it does as long as it has what is
    /// returned; `None` if `stopping` holds a deadline before.
    pub(crate) async fn turn(
        &self,
        stopping: &mut watch::Receiver<Option<Instant>>,
    ) -> Option<OwnedRwLockReadGuard<()>> {
        let mut held = self.held.subscribe();
        let turn = async {
            loop {
                // Its sender is here.
                let _ = held.wait_for(|held| !held).await;
                let turn = Arc::clone(&self.running).read_owned().await;
                if !*held.borrow() {
                    return turn;
                }
            }
        };
        tokio::select! {
            biased;
            _ = stopping.wait_for(Option::is_some) => None,
            turn = turn => Some(turn),
        }
    }

    /// Has nothing fire any more, and waits for the handlers that run, at most
    /// until the deadline; tells whether all are done.
    pub(crate) async fn hold(&self, deadline: Instant) -> bool {
        self.held.send_replace(true);
        timeout_at(deadline, self.running.write()).await.is_ok()
    }

    /// Lets fire what has become due, and what will.
    pub(crate) fn release(&self) {
        self.held.send_replace(false);
    }
}
