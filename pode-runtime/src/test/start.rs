//! Starting a server for a test.

use std::collections::HashMap;
use std::pin::Pin;
use std::time::Duration;

use pode_core::Protocol;
use tokio::runtime::Handle;

use super::clock::{JobTicket, TestClock};
use super::exchange::{Endpoint, Endpoints};
use super::patience::{OrFail, Patience};
use super::server::TestServer;
use super::settling::Settling;
use super::stream::loopback;
#[cfg(feature = "upstream")]
use super::upstream::redirected;
use crate::base::seconds::seconds;
use crate::net::listen::{HandedSocket, InheritedSockets};
use crate::push::engine::random_epoch;
use crate::server::bind::share_addresses;
use crate::server::declare::Endpoint as DeclaredEndpoint;
use crate::server::restart::HandOver;
use crate::server::start::{Server, Surroundings};

/// How long a test waits by default; far longer than anything should take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Starts a server for a test: `start(news()).await`.
///
/// It is the real server, over real sockets; the module's page says what differs.
#[track_caller]
pub fn start(server: Server) -> Start {
    let (clock, variables) = (None, HashMap::new());
    Start { server, patience: Patience::new(DEADLINE), deadline: DEADLINE, clock, variables }
}

/// A server that is about to start, made by [`start`]; it starts when this is awaited.
///
/// # Panics
///
/// When awaited: the server doesn't start, or there is no runtime of tokio.
#[must_use = "a server starts when it is awaited"]
#[derive(Debug)]
pub struct Start {
    server: Server,
    patience: Patience,
    deadline: Duration,
    clock: Option<String>,
    variables: HashMap<String, String>,
}

impl Start {
    /// Sets how long each wait of the test may take; 10 seconds by default.
    ///
    /// A handler that blocks the only thread of a runtime (as with a `std::sync::Mutex`
    /// that the test holds) holds up the deadline, too: the test hangs. With
    /// `#[tokio::test(flavor = "multi_thread", worker_threads = 2)]` the deadline comes.
    pub fn deadline(mut self, deadline: Duration) -> Start {
        self.deadline = deadline;
        self
    }

    /// Sets the time of schedules at the start; by default it is that of the machine.
    /// From there, [`advance`](TestServer::advance) moves it.
    ///
    /// A time with its zone, as in RFC 9557: `2026-03-29 01:59[Europe/Berlin]`. Where a
    /// local time comes twice, its offset tells which is meant:
    /// `2026-10-25T02:30+01:00[Europe/Berlin]`. Without a zone it is the machine's, also
    /// for a moment such as `2026-03-29T00:59:00Z`.
    #[cfg(feature = "schedule")]
    pub fn clock(mut self, time: &str) -> Start {
        self.clock = Some(time.to_owned());
        self
    }

    /// Sets the value that `secret_from_env` and `password_from_env` read for this
    /// server, instead of the environment's.
    pub fn env(mut self, name: &str, value: &str) -> Start {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    async fn start(self) -> TestServer {
        let Start { mut server, patience, deadline, clock: time, variables } = self;
        if Handle::try_current().is_err() {
            patience.fail("a server needs tokio's runtime: write `#[tokio::test]` at the test");
        }
        show_warnings();
        let signals = server.signals();
        let declared = &mut server.declared;
        declared.options.hand_over = HandOver::default();
        if declared.backplane.take().is_some() {
            for channel in signals.hub().channels() {
                channel.follow_nobody(random_epoch(), seconds).await;
            }
        }
        declared.options.client_ids.complete(&variables);
        for endpoint in &mut declared.endpoints {
            endpoint.certificate.complete(&variables);
        }
        let clock = TestClock::new();
        #[cfg(feature = "schedule")]
        if let Some(time) = time {
            let time = clock.parse(&time).or_fail(patience, format_args!("{time:?} is no time"));
            clock.set_wall(time, patience).await;
        }
        #[cfg(not(feature = "schedule"))]
        let None = time else { unreachable!("nothing sets it") };
        let unbound = "no port of 127.0.0.1 can be bound";
        #[cfg(feature = "upstream")]
        let upstreams = redirected(&mut declared.upstreams).or_fail(patience, unbound);
        let served_at = declared.signals.iter().map(|it| (it.path, it.endpoints)).collect();
        let mut inherited = InheritedSockets::default();
        let shared = share_addresses(&declared.endpoints);
        let shared = shared.or_fail(patience, "the server doesn't start");
        for (bind, _) in shared {
            let listener = loopback().and_then(|it| Ok((it.local_addr()?, it.into_std()?)));
            let (address, socket) = listener.or_fail(patience, unbound);
            let declared = bind.socket_address();
            inherited.handed.push(HandedSocket { declared, address, socket });
        }
        let reached: Vec<_> = declared.endpoints.iter().map(reached).collect();
        let surroundings = Surroundings {
            inherited: Some(inherited),
            clock: JobTicket::new(&clock),
            // A test moves its own.
            shares_time: false,
            renews: false,
        };
        let running = server.start_in(surroundings).await;
        let running = running.or_fail(patience, "the server doesn't start");
        let mut bound = running.endpoints().to_vec();
        let endpoints = reached.into_iter().map(|(name, protocol, host)| {
            let found = bound.iter().position(|it| it.name == name && it.protocol == protocol);
            let address = bound.remove(found.expect("each endpoint is bound")).address;
            Endpoint { name, protocol, address, host }
        });
        let endpoints = Endpoints { all: endpoints.collect(), deadline };
        let settling = Settling::new(running.client_tasks.clone());
        TestServer {
            running,
            endpoints,
            served_at,
            clock,
            #[cfg(feature = "upstream")]
            upstreams,
            settling,
        }
    }
}

impl IntoFuture for Start {
    type Output = TestServer;
    type IntoFuture = Pin<Box<dyn Future<Output = TestServer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}

/// Shows what servers warn of with the test that has started them, if it fails; unless
/// the program has a subscriber of its own.
fn show_warnings() {
    let shown = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN);
    let _ = shown.with_target(false).with_test_writer().try_init();
}

/// Returns the name and the protocol of an endpoint, and the host by which it is
/// reached.
fn reached(endpoint: &DeclaredEndpoint) -> (Option<&'static str>, Protocol, String) {
    let is_loopback =
        endpoint.address.bind().is_ok_and(|it| it.socket_address().ip().is_loopback());
    let host = endpoint.hosts.first().filter(|_| !is_loopback).unwrap_or("localhost");
    (endpoint.name, endpoint.protocol, host.to_owned())
}
