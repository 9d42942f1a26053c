//! The context: what all events of a server share.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::catch_up::CatchUp;
use crate::app::client_ids::IdSigner;
use crate::app::sequences::Sequences;
use crate::app::state::States;
use crate::app::tickets::Tickets;
use crate::content::position::Positions;
use crate::content::view::Views;
use crate::push::publisher::Signals;
#[cfg(feature = "upstream")]
use crate::upstream::Upstreams;

/// What all events of a server share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) signals: Signals,
    /// Finds positions of signals for views.
    pub(crate) positions: Positions,
    pub(crate) states: States,
    #[cfg(feature = "upstream")]
    pub(crate) upstreams: Upstreams,
    /// `None` if no folder of views is declared.
    pub(crate) views: Option<Views>,
    /// The Content-Security-Policy of pages.
    pub(crate) policy: &'static str,
    pub(crate) client_ids: IdSigner,
    pub(crate) tickets: Arc<Tickets>,
    pub(crate) sequences: Arc<Sequences>,
    pub(crate) catch_up: Arc<CatchUp>,
    /// Tasks that are still to be done for clients that have disconnected.
    pub(crate) client_tasks: TaskTracker,
    /// Ends the handlers of requests among them, at once.
    pub(crate) cut_off: CancellationToken,
}

/// Returns the context of an event with these signals, for tests.
#[cfg(test)]
pub(crate) fn context_of(signals: Signals) -> Arc<Context> {
    Arc::new(Context {
        signals,
        positions: Positions::new(|_| Err("no signal is declared".to_owned())),
        states: Default::default(),
        #[cfg(feature = "upstream")]
        upstreams: Default::default(),
        views: None,
        policy: "",
        client_ids: Default::default(),
        tickets: Arc::new(Tickets::new(&Default::default())),
        sequences: Default::default(),
        catch_up: Default::default(),
        client_tasks: Default::default(),
        cut_off: Default::default(),
    })
}
