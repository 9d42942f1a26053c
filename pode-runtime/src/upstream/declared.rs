//! A declared upstream: its URL, and the handlers of its messages.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;

use super::connect::Destination;
use super::sender::Sender;
use crate::base::error::StartError;
use crate::base::log::ration::rationed;
use crate::base::one_line::OneLine;
use crate::base::outcome::{BoxError, Outcome, failure};
use crate::upstream::UpstreamOptions;

/// How many characters are logged of a message that can't be read, and of the
/// reason, which may quote it.
const SHOWN_CHARACTERS: usize = 200;

/// A declared upstream; `Context` is what its handlers get of the enclosing
/// server.
pub(crate) struct DeclaredUpstream<Context> {
    sender: Arc<Sender>,
    url: String,
    options: UpstreamOptions,
    receive: Receive<Context>,
    /// The handler with which each connection begins.
    begin: Option<Begin<Context>>,
}

type Done = BoxFuture<'static, Result<(), BoxError>>;
type Receive<Context> =
    Box<dyn Fn(&Context, &str) -> Result<Done, serde_json::Error> + Send + Sync>;
type Begin<Context> = Box<dyn Fn(&Context) -> Done + Send + Sync>;

impl<Context> DeclaredUpstream<Context> {
    pub(crate) fn new<Receives, Handler, Done>(
        name: &'static str,
        url: String,
        options: UpstreamOptions,
        send_timeout: Duration,
        handler: Handler,
    ) -> DeclaredUpstream<Context>
    where
        Receives: DeserializeOwned + 'static,
        Handler: Fn(&Context, Receives) -> Done + Send + Sync + 'static,
        Done: Future<Output: Outcome> + Send + 'static,
    {
        let sender = Sender::new(name, options.max_message_bytes, send_timeout);
        let receive: Receive<Context> = Box::new(move |context, text| {
            // As in JSON of clients, a byte order mark is ignored.
            let received = serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text))?;
            let done = handler(context, received);
            Ok(async move { done.await.into_result() }.boxed())
        });
        DeclaredUpstream { sender: Arc::new(sender), url, options, receive, begin: None }
    }

    #[cfg(feature = "test")]
    pub(crate) fn name(&self) -> &'static str {
        self.sender.name()
    }

    /// Has it connect to another place, and again at once, whenever it can't.
    #[cfg(feature = "test")]
    pub(crate) fn redirect(&mut self, to: std::net::SocketAddr) {
        // It is invalid where a variable isn't set, such as one with its host.
        let declared = self.url.parse::<pode_core::UpstreamUrl>();
        let declared = declared.as_ref().map_or("", |url| url.as_str());
        let resource = declared.splitn(4, '/').nth(3).unwrap_or_default();
        self.url = format!("ws://{to}/{resource}");
        let soon = Duration::from_millis(1);
        (self.options.reconnect_delay, self.options.max_reconnect_delay) = (soon, soon);
    }

    /// Sets the handler with which each connection begins.
    pub(crate) fn on_connect<Handler, Done>(&mut self, handler: Handler)
    where
        Handler: Fn(&Context) -> Done + Send + Sync + 'static,
        Done: Future<Output: Outcome> + Send + 'static,
    {
        self.begin = Some(Box::new(move |context| {
            let done = handler(context);
            async move { done.await.into_result() }.boxed()
        }));
    }

    pub(super) fn sender(&self) -> &Arc<Sender> {
        &self.sender
    }

    pub(crate) fn options(&self) -> &UpstreamOptions {
        &self.options
    }

    /// Returns the address to connect to.
    ///
    /// # Errors
    ///
    /// The URL or the roots are wrong, which the compiler could not see.
    pub(crate) fn destination(&self, folder: Option<&Path>) -> Result<Destination, StartError> {
        Destination::new(self.sender.name(), &self.url, &self.options, folder)
    }

    /// Returns how often the other server gets a ping, if at all.
    pub(super) fn heartbeat(&self) -> Option<Duration> {
        let heartbeat = self.options.heartbeat;
        (!heartbeat.is_zero()).then_some(heartbeat)
    }

    /// Returns for how long the other server may be silent.
    pub(super) fn silence_timeout(&self) -> Option<Duration> {
        self.heartbeat().map(|heartbeat| heartbeat * 2)
    }

    /// Runs the handler with which each connection begins, and returns whether
    /// it succeeded.
    pub(super) async fn begin(&self, context: &Context) -> bool {
        let Some(begin) = &self.begin else { return true };
        // Calling a handler may panic, too, if it isn't an `async fn`.
        let failure = failure(async { begin(context).await }).await;
        if let Some(reason) = &failure {
            rationed!(error, "{self}: `on_connect`: {}", OneLine(reason));
        }
        failure.is_none()
    }

    /// Runs the handler for a message.
    pub(super) async fn receive(&self, context: &Context, text: &str) {
        let handled = async {
            match (self.receive)(context, text) {
                Ok(done) => done.await,
                Err(error) => {
                    self.skip(&error.to_string(), text);
                    Ok(())
                }
            }
        };
        if let Some(reason) = failure(handled).await {
            rationed!(error, "{self}: {}", OneLine(&reason));
        }
    }

    /// Logs a message that the handler doesn't get.
    pub(super) fn skip(&self, reason: &str, text: &str) {
        let [reason, begin] =
            [reason, text].map(|whole| whole.chars().take(SHOWN_CHARACTERS).collect::<String>());
        let reason = OneLine(&reason);
        rationed!(warn, "{self}: a message is skipped: {reason}; it begins with {begin:?}");
    }
}

impl<Context> fmt::Display for DeclaredUpstream<Context> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "upstream `{}`", self.sender.name())
    }
}

impl<Context> fmt::Debug for DeclaredUpstream<Context> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeclaredUpstream")
            .field("name", &self.sender.name())
            .finish_non_exhaustive()
    }
}
