//! A running server: where it listens, how handlers are invoked manually, and
//! how it stops.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use pode_core::Protocol;
use tokio::sync::{Mutex, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

use crate::app::context::Context;
use crate::app::readiness::{Readiness, Unready};
use crate::backplane::RunningBackplane;
use crate::base::debug_form::debug_form;
use crate::base::error::{EndedError, InvokeError};
use crate::base::supervisor::Failure;
use crate::base::watchdog::{Watchdog, at_most};
use crate::jobs::running::RunningJobs;
use crate::net::tls::renewal::Renewal;
use crate::push::engine::Engine;
use crate::push::publisher::Signals;
#[cfg(unix)]
use crate::server::restart::RestartTask;
use crate::upstream::UpstreamTasks;
#[cfg(feature = "upstream")]
use crate::upstream::Upstreams;

/// A running server.
///
/// Dropping it stops it at once: requests in flight and clients are cut off.
/// [`stop`](Self::stop) stops it gracefully.
#[must_use = "dropping a running server stops it"]
pub struct RunningServer {
    pub(crate) endpoints: Vec<BoundEndpoint>,
    pub(crate) signals: Signals,
    #[cfg(feature = "upstream")]
    pub(crate) upstreams: Upstreams,
    pub(crate) engine: Engine,
    /// Lives as long as any handler runs.
    pub(crate) context: Weak<Context>,
    /// Tasks that are still to be done for clients that have disconnected.
    pub(crate) client_tasks: TaskTracker,
    /// Ends handlers of requests whose clients have left.
    pub(crate) _cut_off: DropGuard,
    pub(crate) readiness: Arc<Readiness>,
    /// Holds the deadline once the server is to stop.
    pub(crate) stopping: watch::Sender<Option<Instant>>,
    /// The accept loops, each with its connections.
    pub(crate) tasks: Vec<JoinHandle<()>>,
    /// Tells how the server is, from when it stops until it is gone.
    pub(crate) last_answers: JoinSet<()>,
    /// Whether no other process has the listening sockets, too.
    pub(crate) _alone: watch::Sender<bool>,
    pub(crate) jobs: RunningJobs<Arc<Context>>,
    pub(crate) upstream_tasks: Arc<Mutex<UpstreamTasks<Arc<Context>>>>,
    /// Present where another process may take over.
    #[cfg(unix)]
    pub(crate) restart: Option<RestartTask>,
    /// True unless another process has taken over.
    pub(crate) _accepting: watch::Sender<bool>,
    /// Carries messages to other nodes; dropped with the server.
    pub(crate) backplane: Option<RunningBackplane>,
    /// Renews certificates; dropped with the server.
    pub(crate) _renewal: Option<Renewal>,
    pub(crate) _watchdog: Option<Watchdog>,
    pub(crate) failure: Failure,
    /// Stops everything if a part fails, even if nobody awaits `failed`.
    pub(crate) _if_failed: JoinSet<()>,
    pub(crate) stop_timeout: Duration,
}

/// How much longer than its `stop_timeout` a stop may take.
const LEEWAY: Duration = Duration::from_millis(250);

/// An endpoint of a running server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BoundEndpoint {
    /// The declared name, if it has one.
    pub name: Option<&'static str>,
    /// Its protocol.
    pub protocol: Protocol,
    /// Where it listens; port 0 is replaced by the actual port.
    pub address: SocketAddr,
}

impl RunningServer {
    /// Returns the endpoints; those that share an address are adjacent.
    pub fn endpoints(&self) -> &[BoundEndpoint] {
        &self.endpoints
    }

    /// Returns the address of the first endpoint of a protocol.
    pub fn address(&self, protocol: Protocol) -> Option<SocketAddr> {
        self.endpoints
            .iter()
            .find(|endpoint| endpoint.protocol == protocol)
            .map(|endpoint| endpoint.address)
    }

    /// Returns the sending handle.
    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Runs the handler of a timer now, and waits until it is done.
    ///
    /// This is no tick: it isn't counted, and doesn't change when the next tick
    /// comes. As with a tick, an error or a panic of the handler is logged.
    /// Dropping the future cuts the handler off.
    ///
    /// # Errors
    ///
    /// The server declares no timer of this name.
    pub async fn invoke_timer(&self, name: &str) -> Result<(), InvokeError> {
        self.jobs.invoke_timer(name).await
    }

    /// Runs the handler of a schedule now, and waits until it is done; see
    /// [`invoke_timer`](Self::invoke_timer).
    ///
    /// # Errors
    ///
    /// The server declares no schedule of this name.
    pub async fn invoke_schedule(&self, name: &str) -> Result<(), InvokeError> {
        self.jobs.invoke_schedule(name).await
    }

    /// Waits until another process has taken over, and all clients were told to
    /// reconnect there. Then this server is to be [stopped](Self::stop), which
    /// waits for the clients that are still leaving. Never returns unless the
    /// server declares `hand_over`. Cancel safe.
    pub async fn handed_over(&self) {
        #[cfg(unix)]
        if let Some(restart) = &self.restart {
            return restart.handed_over().await;
        }
        std::future::pending().await
    }

    /// Waits until the server ends by itself. That happens only if an essential
    /// task panicked and could not be started again; the reason is logged. Then
    /// nothing listens any more, unless `operations` are declared, and clients are
    /// closed with code 1001. Call [`stop`](Self::stop) all the same, so that handlers
    /// are waited for. Cancel safe.
    ///
    /// Tasks that panic normally restart, which isn't reported here.
    pub async fn failed(&self) -> EndedError {
        self.failure.reported().await
    }

    /// Stops the server. It accepts no new connections, except to answer `operations`,
    /// and fires no more ticks; requests and handlers in flight finish, sent messages
    /// are delivered, every client and every upstream is closed with code 1001, and the
    /// `on disconnect` handlers run.
    ///
    /// Takes at most the server's `stop_timeout`, then cuts off what is left.
    /// Dropping the future does so at once. A handler that blocks its thread
    /// can't be cut off: it is left behind, and the runtime waits for it when it
    /// is dropped. On a runtime of one thread, nothing else runs meanwhile.
    pub async fn stop(self) {
        // Its parts have the same deadline, and a while to be dropped.
        let stop_timeout = self.stop_timeout + LEEWAY;
        if at_most(stop_timeout, self.stop_by_deadlines()).await.is_none() {
            tracing::warn!("handlers that block their threads aren't waited for");
        }
    }

    async fn stop_by_deadlines(mut self) {
        let started = Instant::now();
        self.readiness.report(Unready::Stopping);
        #[cfg(unix)]
        let is_handed_over = match &mut self.restart {
            Some(restart) => restart.conclude().await,
            None => false,
        };
        #[cfg(not(unix))]
        let is_handed_over = false;
        // Handlers may still send, so clients are closed after them; a quarter
        // of the time is reserved for the clients.
        let deadline = started + self.stop_timeout * 3 / 4;
        self.stopping.send_replace(Some(deadline));
        let upstream_tasks = async { self.upstream_tasks.lock().await.stop(deadline).await };
        tokio::join!(self.jobs.stop(deadline), upstream_tasks);
        for task in &mut self.tasks {
            // An accept loop that panicked has nothing left to wait for.
            let _ = task.await;
        }
        let deadline = started + self.stop_timeout;
        if is_handed_over {
            // Messages that their handlers send also go to the clients of the
            // other process, for which the engine must still run.
            self.engine.drained(deadline).await;
            self.wait_for_client_tasks(deadline).await;
            #[cfg(unix)]
            if let Some(restart) = &mut self.restart {
                restart.end(deadline).await;
            }
        }
        // A client that doesn't answer its close frame is dropped before the end,
        // so that its disconnect handler has time, too.
        self.engine.stop(deadline - self.stop_timeout / 8).await;
        self.wait_for_client_tasks(deadline).await;
        if let Some(backplane) = &self.backplane {
            backplane.leave(deadline).await;
        }
        // So that the port is free when this returns.
        self.last_answers.shutdown().await;
    }

    async fn wait_for_client_tasks(&self, deadline: Instant) {
        self.client_tasks.close();
        if timeout_at(deadline, self.client_tasks.wait()).await.is_err() {
            tracing::warn!("handlers of clients that have gone are cut off");
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

debug_form!(RunningServer, |it| { endpoints: it.endpoints });

#[cfg(test)]
mod tests {
    use pode_core::SignalPath;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::mpsc;

    use super::*;
    use crate::app::event::DisconnectEvent;
    use crate::push::session::DisconnectReason;
    use crate::server::declare::Declared;
    use crate::server::options::{EndpointOptions, ServerOptions};
    use crate::signal::options::SignalOptions;

    const NEWS: SignalPath<String> = SignalPath::new("/");

    #[tokio::test]
    async fn a_client_that_answers_no_close_frame_has_its_disconnect_handled() {
        let (ends, mut ended) = mpsc::unbounded_channel();
        let mut declared = Declared::new("news", ServerOptions::default());
        declared.endpoint(None, Protocol::Ws, "127.0.0.1:0", EndpointOptions::default());
        declared.signal_channel(NEWS, &[], SignalOptions::default());
        declared.on_disconnect_0(NEWS, move |event: DisconnectEvent| {
            let ends = ends.clone();
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                ends.send(event.reason()).unwrap();
            }
        });
        let server = declared.into_server().start().await.unwrap();
        let address = server.address(Protocol::Ws).unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        let handshake = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
            Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        client.write_all(handshake).await.unwrap();
        let mut response = Vec::new();
        while !response.ends_with(b"\r\n\r\n") {
            response.push(client.read_u8().await.unwrap());
        }
        // From here on there is nothing to wait for but the time.
        tokio::time::pause();
        let started = Instant::now();
        server.stop().await;
        assert_eq!(ended.try_recv(), Ok(DisconnectReason::Stopped));
        assert!(started.elapsed() <= ServerOptions::default().stop_timeout);
    }

    #[tokio::test]
    async fn a_server_that_has_failed_says_so_as_long_as_it_is_there() {
        let mut declared = Declared::new("news", ServerOptions::default());
        let name = Some("inner");
        declared.endpoint(name, Protocol::Http, "127.0.0.1:0", EndpointOptions::default());
        declared.operations("inner");
        let server = declared.into_server().start().await.unwrap();
        let address = server.address(Protocol::Http).unwrap();
        let ask = async |path: &str| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
            let mut answer = String::new();
            // A connection may meet the end of the usual ones.
            let _ = stream.read_to_string(&mut answer).await;
            answer
        };
        assert!(ask("/_pode/live").await.ends_with("\r\n\r\nlive\n"));
        server.failure.report("a task", "it panicked".to_owned());
        for path in ["/_pode/live", "/_pode/ready"] {
            let told = async {
                loop {
                    let answer = ask(path).await;
                    if answer.starts_with("HTTP/1.0 503 ") {
                        return answer;
                    }
                }
            };
            let told = timeout_at(Instant::now() + Duration::from_secs(120), told).await.unwrap();
            assert!(told.ends_with("\r\n\r\na part of the server has failed\n"), "{told}");
        }
        drop(server);
    }
}
