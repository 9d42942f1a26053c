//! Declarations of upstreams.

use std::sync::Arc;

use pode_core::UpstreamName;

use crate::app::context::Context;
use crate::app::event::UpstreamEvent;
use crate::base::function::{Function, Takes};
use crate::base::outcome::{Asynchronous, Outcome};
use crate::http::decode::Received;
use crate::server::declare::Declared;
use crate::server::option_bounds::Bounded;
use crate::upstream::{DeclaredUpstream, Sent, UpstreamOptions};

impl Declared {
    /// Adds an upstream.
    pub fn upstream<Sends, Receives, Handler, Done>(
        &mut self,
        name: UpstreamName<Sends, Receives>,
        url: impl Into<String>,
        options: UpstreamOptions,
        handler: Handler,
    ) -> UpstreamBuilder<'_, Sends, Receives>
    where
        Sends: Sent + 'static,
        Receives: Received + 'static,
        Handler: Fn(UpstreamEvent<Sends>, Receives) -> Done + Send + Sync + 'static,
        Done: Asynchronous<Value: Outcome> + Send + 'static,
    {
        let (options, send_timeout) = (options.bounded(), self.options.send_timeout);
        let handler = move |context: &Arc<Context>, received| {
            handler(UpstreamEvent::new(name, Arc::clone(context)), received)
        };
        let upstream =
            DeclaredUpstream::new(name.as_str(), url.into(), options, send_timeout, handler);
        self.upstreams.push(upstream);
        UpstreamBuilder { name, upstream: self.upstreams.last_mut().expect("it was just added") }
    }

    /// Adds an upstream whose handler is a function.
    pub fn upstream_function<Sends, Receives, Handler, Taken, Done>(
        &mut self,
        name: UpstreamName<Sends, Receives>,
        url: impl Into<String>,
        options: UpstreamOptions,
        handler: Handler,
    ) -> UpstreamBuilder<'_, Sends, Receives>
    where
        Sends: Sent + 'static,
        Receives: Received + 'static,
        Handler: Function<Taken, Answer = Done> + Send + Sync + 'static,
        Taken: Takes<(UpstreamEvent<Sends>, Receives)>,
        Done: Asynchronous<Value: Outcome> + Send + 'static,
    {
        self.upstream(name, url, options, move |event, message| {
            handler.call(Taken::of((event, message)))
        })
    }
}

/// An upstream that has been added, to set its `on_connect` handler.
#[derive(Debug)]
pub struct UpstreamBuilder<'declared, Sends, Receives> {
    name: UpstreamName<Sends, Receives>,
    upstream: &'declared mut DeclaredUpstream<Arc<Context>>,
}

impl<Sends: 'static, Receives: 'static> UpstreamBuilder<'_, Sends, Receives> {
    /// Sets the handler that runs at the start of each connection.
    pub fn on_connect<Handler, Done>(self, handler: Handler) -> Self
    where
        Handler: Fn(UpstreamEvent<Sends>) -> Done + Send + Sync + 'static,
        Done: Asynchronous<Value: Outcome> + Send + 'static,
    {
        let name = self.name;
        let handler =
            move |context: &Arc<Context>| handler(UpstreamEvent::new(name, Arc::clone(context)));
        self.upstream.on_connect(handler);
        self
    }
    /// Sets a function that runs at the start of each connection.
    pub fn on_connect_function<Handler, Taken, Done>(self, handler: Handler) -> Self
    where
        Handler: Function<Taken, Answer = Done> + Send + Sync + 'static,
        Taken: Takes<(UpstreamEvent<Sends>,)>,
        Done: Asynchronous<Value: Outcome> + Send + 'static,
    {
        self.on_connect(move |event| handler.call(Taken::of((event,))))
    }
}
