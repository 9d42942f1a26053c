//! Stands in for schedules where the feature `schedule` is off: there are none.

use std::convert::Infallible;
use std::time::SystemTime;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::jobs::claim::Slots;
use crate::jobs::gate::JobGate;
use crate::jobs::job::Job;

/// Never exists.
#[derive(Debug)]
pub(crate) struct Schedule<Context> {
    pub(crate) job: Job<SystemTime, Context>,
    never: Infallible,
}

impl<Context> Schedule<Context> {
    pub(crate) async fn run<Clock>(
        &self,
        _: &Clock,
        _: &Context,
        _: &JobGate,
        _: Option<&dyn Slots>,
        _: watch::Receiver<Option<Instant>>,
    ) {
        match self.never {}
    }
}
