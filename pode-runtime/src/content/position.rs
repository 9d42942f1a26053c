//! Positions of signals in pages, as `{{ position("/chat") }}` prints them.

use std::sync::Arc;

use pode_core::hub::Position;

use crate::base::debug_form::debug_form;

type Find = dyn Fn(&str) -> Result<Position, String> + Send + Sync;

/// Finds how far the signal at a path has come.
#[derive(Clone)]
pub(crate) struct Positions(Arc<Find>);

impl Positions {
    /// `find` gets a path as addresses have it; its error is the reason why that has
    /// no position.
    pub(crate) fn new(
        find: impl Fn(&str) -> Result<Position, String> + Send + Sync + 'static,
    ) -> Positions {
        Positions(Arc::new(find))
    }

    #[cfg_attr(not(feature = "views"), expect(dead_code, reason = "only templates ask"))]
    pub(crate) fn of(&self, path: &str) -> Result<Position, String> {
        (self.0)(path)
    }
}

debug_form!(Positions, |_| {});
