//! Whether timers and schedules may fire.

use std::sync::Arc;

use tokio::sync::{OwnedRwLockReadGuard, RwLock, watch};
use tokio::time::{Instant, timeout_at};

/// Whether timers and schedules may fire: not while another process is about to
/// take over. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct JobGate {
    held: watch::Sender<bool>,
    /// Read-locked by the handlers that run.
    running: Arc<RwLock<()>>,
}

impl Default for JobGate {
    fn default() -> JobGate {
        JobGate { held: watch::Sender::new(false), running: Arc::default() }
    }
}

impl JobGate {
    /// Waits until a handler may run. The caller holds the returned guard while
    /// the handler runs. `None` if `stopping` holds a deadline before.
    pub(crate) async fn turn(
        &self,
        stopping: &mut watch::Receiver<Option<Instant>>,
    ) -> Option<OwnedRwLockReadGuard<()>> {
        let mut held = self.held.subscribe();
        let turn = async {
            loop {
                // `self` holds the sender.
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

    /// Stops all firing, and waits for the handlers that run, at most until the
    /// deadline; returns whether all are done.
    pub(crate) async fn hold(&self, deadline: Instant) -> bool {
        self.held.send_replace(true);
        timeout_at(deadline, self.running.write()).await.is_ok()
    }

    /// Allows firing again, including of what has become due meanwhile.
    pub(crate) fn release(&self) {
        self.held.send_replace(false);
    }
}
