//! Stands in for upstreams where the feature `upstream` is off: there are none.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::path::Path;

use tokio::time::Instant;

use crate::base::error::StartError;

/// Never exists.
#[derive(Debug)]
pub(crate) struct DeclaredUpstream<Context> {
    never: Infallible,
    context: PhantomData<Context>,
}

/// Never exists.
pub(crate) enum Destination {}

impl<Context> DeclaredUpstream<Context> {
    pub(crate) fn destination(&self, _: Option<&Path>) -> Result<Destination, StartError> {
        match self.never {}
    }
}

/// The tasks of no upstream.
pub(crate) struct UpstreamTasks<Context>(PhantomData<Context>);

impl<Context> UpstreamTasks<Context> {
    pub(crate) fn start(
        _: Vec<DeclaredUpstream<Context>>,
        _: Vec<Destination>,
        _: Context,
    ) -> UpstreamTasks<Context> {
        UpstreamTasks(PhantomData)
    }

    pub(crate) fn resume(&mut self) {}

    pub(crate) async fn stop(&mut self, _: Instant) {}
}
