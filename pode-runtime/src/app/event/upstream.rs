//! The event of an upstream: one message from it, or a new connection to it.

use std::sync::Arc;

use pode_core::{Nothing, UpstreamName};

use crate::app::context::Context;
use crate::base::debug_form::debug_form;
use crate::upstream::{Sent, Upstream, UpstreamError};

/// A message of an upstream: the first argument of its handler. The message
/// itself is the second.
///
/// `Sends` is the type of the messages sent to the upstream:
/// `UpstreamEvent<Subscribe>` belongs to `upstream PRICES: Tick -> Subscribe`,
/// and `UpstreamEvent` to an upstream that is only listened to. The
/// `on_connect` handler gets an event, too, without a message. It is a handle:
/// clones are cheap and refer to the same event.
pub struct UpstreamEvent<Sends = Nothing> {
    upstream: Upstream<Sends>,
    context: Arc<Context>,
}

impl<Sends> UpstreamEvent<Sends> {
    pub(crate) fn new<Receives>(
        name: UpstreamName<Sends, Receives>,
        context: Arc<Context>,
    ) -> UpstreamEvent<Sends> {
        UpstreamEvent { upstream: context.upstreams.find(name), context }
    }

    /// Returns the name of the upstream.
    pub fn name(&self) -> &'static str {
        self.upstream.name()
    }

    /// Sends a payload to the upstream that the message came from; see
    /// [`Upstream::send`](crate::upstream::Upstream::send).
    ///
    /// # Errors
    ///
    /// As for [`Upstream::send`](crate::upstream::Upstream::send).
    pub fn reply(
        &self,
        payload: &Sends,
    ) -> impl Future<Output = Result<(), UpstreamError>> + Send + use<Sends>
    where
        Sends: Sent,
    {
        self.upstream.send(payload)
    }

    fn context(&self) -> &Context {
        &self.context
    }
}

sending_methods!(UpstreamEvent<Sends>);

// A derive would require the payload type to be `Clone`, too.
impl<Sends> Clone for UpstreamEvent<Sends> {
    fn clone(&self) -> Self {
        UpstreamEvent { upstream: self.upstream.clone(), context: Arc::clone(&self.context) }
    }
}

debug_form!(UpstreamEvent<Sends>, |it| { name: it.name() });
