//! Stands in for the backplane where no feature brings one: there is none.

use std::path::Path;
use std::sync::Arc;

use tokio::time::Instant;

use crate::app::context::Context;
use crate::app::readiness::Readiness;
use crate::base::error::StartError;
use crate::base::supervisor::Failure;
use crate::jobs::claim::Slots;

/// Never exists.
#[derive(Debug)]
pub(crate) enum Backplane {}

/// Never exists.
pub(crate) enum RunningBackplane {}

impl Backplane {
    pub(crate) fn begin(
        self,
        _: &str,
        _: Option<&Path>,
        _: &Context,
        _: &Arc<Readiness>,
        _: &Failure,
    ) -> Result<RunningBackplane, StartError> {
        match self {}
    }
}

impl RunningBackplane {
    pub(crate) fn slots(&self) -> Arc<dyn Slots> {
        match *self {}
    }

    pub(crate) async fn started(&self) -> Result<(), StartError> {
        match *self {}
    }

    pub(crate) async fn leave(&self, _: Instant) {
        match *self {}
    }
}
