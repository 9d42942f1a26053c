//! The server that a test uses.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use std::{collections::HashMap, fmt};

use bytes::Bytes;
use http::Method;
use pode_core::SignalTarget;
#[cfg(feature = "upstream")]
use tokio::net::TcpListener;

use super::clock::TestClock;
use super::connect::Connect;
use super::exchange::{Endpoints, Head};
use super::patience::{OrFail, Patience};
use super::request::Request;
use super::settling::Settling;
use crate::push::publisher::Signals;
use crate::server::running::RunningServer;

/// A server that runs for a test; made by [`start`](super::start()).
///
/// Dropping it stops it at once: requests in flight and clients are cut off.
///
/// # Panics
///
/// Whatever waits does so for the server's [`deadline`](super::Start::deadline), and
/// panics then.
pub struct TestServer {
    pub(super) running: RunningServer,
    pub(super) endpoints: Endpoints,
    /// The names of the endpoints that serve each signal.
    pub(super) served_at: HashMap<&'static str, &'static [&'static str]>,
    pub(super) clock: Arc<TestClock>,
    /// Where the server's upstreams lead.
    #[cfg(feature = "upstream")]
    pub(super) upstreams: Vec<(&'static str, TcpListener)>,
    pub(super) settling: Arc<Settling>,
}

impl TestServer {
    /// Begins a client of a signal: `server.connect(CHAT).await`, or
    /// `server.connect(ROOM.at(&room)).await` for one of a family.
    #[track_caller]
    pub fn connect<S: SignalTarget>(&self, signal: S) -> Connect<S::Out, S::In> {
        let path = signal.concrete_path().map_or(signal.declared_path(), |path| path);
        Connect {
            endpoints: self.endpoints.clone(),
            head: Head::new(Method::GET, path, self.patience()),
            served_at: self.served_at.get(signal.declared_path()).copied().unwrap_or_default(),
            clients: self.running.signals().clients(signal),
            settling: Arc::clone(&self.settling),
            payload: PhantomData,
        }
    }

    /// Begins a GET for a path, which may have a query.
    #[track_caller]
    pub fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    /// Begins a POST to a path.
    #[track_caller]
    pub fn post(&self, path: &str) -> Request {
        self.request(Method::POST, path)
    }

    /// Begins a PUT to a path.
    #[track_caller]
    pub fn put(&self, path: &str) -> Request {
        self.request(Method::PUT, path)
    }

    /// Begins a PATCH of a path.
    #[track_caller]
    pub fn patch(&self, path: &str) -> Request {
        self.request(Method::PATCH, path)
    }

    /// Begins a DELETE of a path.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Request {
        self.request(Method::DELETE, path)
    }

    /// Begins a HEAD for a path.
    #[track_caller]
    pub fn head(&self, path: &str) -> Request {
        self.request(Method::HEAD, path)
    }

    /// Begins OPTIONS for a path.
    #[track_caller]
    pub fn options(&self, path: &str) -> Request {
        self.request(Method::OPTIONS, path)
    }

    #[track_caller]
    fn request(&self, method: Method, path: &str) -> Request {
        let head = Head::new(method, path, self.patience());
        let (body, content_type, parts) = (Bytes::new(), None, Vec::new());
        Request { endpoints: self.endpoints.clone(), head, body, content_type, parts }
    }

    /// Returns the sending handle.
    pub fn signals(&self) -> &Signals {
        self.running.signals()
    }

    /// Returns the URL of the endpoint of this name, such as `http://127.0.0.1:40123`,
    /// or of the first endpoint if there is no name: for a client of your own.
    ///
    /// # Panics
    ///
    /// There is no such endpoint.
    #[track_caller]
    pub fn url(&self, endpoint: Option<&str>) -> String {
        let found = self.endpoints.all.iter().find(|it| endpoint.is_none() || it.name == endpoint);
        match found {
            Some(endpoint) => format!("{}://{}", endpoint.protocol, endpoint.address),
            None => panic!("the server has no such endpoint"),
        }
    }

    /// Moves the time of timers and schedules on. It stands still otherwise.
    ///
    /// What becomes due fires one after the other, each at its time; the next fires
    /// when the handler of the one before is done. Timers come before schedules that
    /// are due at the same time, and both in the order of their declarations. When it
    /// returns, all handlers are done, including those of `on_start`.
    ///
    /// Nothing else goes by this time: time-outs, heartbeats and what handlers sleep
    /// take as long as they do.
    ///
    /// # Panics
    ///
    /// A handler isn't done in time.
    #[track_caller]
    pub fn advance(&self, time: Duration) -> impl Future<Output = ()> + Send {
        self.clock.advance(time, self.patience())
    }

    /// Sets the clock that schedules go by, as somebody might set that of the machine,
    /// and waits for the handlers of what fires: a schedule fires once if the clock
    /// leaps over a time of it. See [`Start::clock`](super::Start::clock) for the
    /// form; there, nothing is leapt over.
    ///
    /// # Panics
    ///
    /// It is no time, or a handler isn't done in time.
    #[cfg(feature = "schedule")]
    #[track_caller]
    pub fn set_clock(&self, time: &str) -> impl Future<Output = ()> + Send {
        let patience = self.patience();
        let time = self.clock.parse(time).or_fail(patience, format_args!("{time:?} is no time"));
        self.clock.set_wall(time, patience)
    }

    /// Runs the handler of a timer, whatever the time; see
    /// [`RunningServer::invoke_timer`].
    ///
    /// # Panics
    ///
    /// The server declares no timer of this name, or its handler isn't done in time.
    #[track_caller]
    pub fn invoke_timer(&self, name: &str) -> impl Future<Output = ()> + Send {
        let patience = self.patience();
        async move {
            let done = self.running.invoke_timer(name);
            let done = patience.wait(format!("the handler of timer `{name}`"), done).await;
            done.or_fail(patience, "nothing is invoked");
        }
    }

    /// Runs the handler of a schedule, whatever the time; see
    /// [`RunningServer::invoke_schedule`].
    ///
    /// # Panics
    ///
    /// The server declares no schedule of this name, or its handler isn't done in
    /// time.
    #[track_caller]
    pub fn invoke_schedule(&self, name: &str) -> impl Future<Output = ()> + Send {
        let patience = self.patience();
        async move {
            let done = self.running.invoke_schedule(name);
            let done = patience.wait(format!("the handler of schedule `{name}`"), done).await;
            done.or_fail(patience, "nothing is invoked");
        }
    }

    /// Waits until all is done that this test has caused: what its clients and
    /// upstreams have sent is handled, so are the ends of clients that it has closed,
    /// and what was sent to it has come.
    ///
    /// No time is waited for: each message has its place in the order of its
    /// connection and of its channel, and the last place is waited for. What handlers
    /// leave to tasks of their own isn't known, nor are requests whose responses the
    /// test hasn't awaited.
    #[track_caller]
    pub fn settle(&self) -> impl Future<Output = ()> + Send {
        self.settling.settle(self.patience())
    }

    /// Stops the server gracefully, as a program that is asked to end, and returns
    /// when everything has ended. Clients are closed with code 1001.
    pub async fn stop(self) {
        self.running.stop().await;
    }

    #[track_caller]
    pub(super) fn patience(&self) -> Patience {
        Patience::new(self.endpoints.deadline)
    }
}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer").field("endpoints", &self.endpoints.all).finish_non_exhaustive()
    }
}
