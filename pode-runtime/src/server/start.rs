//! Starting a server: from its declaration to running tasks.

use std::future::ready;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::AsFd;
use std::sync::{Arc, Weak};

use futures_util::future::Either;
use http::Request;
use hyper::body::Incoming;
use pode_core::Method;
use pode_core::hub::{Channel, Receiver};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::DropGuard;

use crate::app::context::Context;
use crate::app::readiness::{Readiness, Unready};
use crate::backplane::RunningBackplane;
use crate::base::error::StartError;
use crate::base::log::{self, access::RequestLine};
use crate::base::supervisor::Failure;
use crate::base::watchdog::{Watchdog, leave_behind_what_blocks};
use crate::http::activity::RequestBody;
use crate::http::hosts::HostPolicy;
use crate::http::origin::{OriginPolicy, Origins};
use crate::http::serve::ServeOptions;
use crate::http::{forwarded, request_smuggling, serve};
use crate::jobs::clock::{JobClock, MachineClock};
use crate::jobs::gate::JobGate;
use crate::jobs::running::{self, RunningJobs};
use crate::net::connection_limit::ConnectionLimit;
use crate::net::fd_limit;
#[cfg(unix)]
use crate::net::listen::HandedSocket;
use crate::net::listen::{InheritedSockets, Listener};
use crate::net::proxies::Proxies;
use crate::net::shutdown::StopRequests;
#[cfg(unix)]
use crate::net::shutdown::outlive_files_that_are_too_large;
use crate::net::tls::renewal::Renewal;
use crate::push::engine::Envelope;
use crate::push::publisher::Signals;
#[cfg(unix)]
use crate::server::bind::BoundSocket;
use crate::server::bind::bind_all;
use crate::server::declare::{Declared, Endpoint};
use crate::server::dispatch::{Dispatch, RouteInfo, Served};
use crate::server::operations::Operations;
use crate::server::restart::Predecessor;
#[cfg(unix)]
use crate::server::restart::{Claim, Resources, RestartTask};
use crate::server::running::{BoundEndpoint, RunningServer};
use crate::signal::{Signal, SignalRoute, rebroadcast};
use crate::upstream::UpstreamTasks;

/// A declared server, not started yet.
///
/// Made by the function that `pode_server!` declares.
#[derive(Debug)]
#[must_use = "a server does nothing until it is run or started"]
pub struct Server {
    pub(crate) declared: Declared,
    signals: Signals,
    receivers: Vec<Receiver<Envelope>>,
}

/// What a server finds where it starts.
pub(crate) struct Surroundings<C> {
    /// The sockets to use; by default those that the process was started with.
    pub(crate) inherited: Option<InheritedSockets>,
    pub(crate) clock: C,
    /// Whether jobs that fire on one node go by the time that nodes share.
    pub(crate) shares_time: bool,
    /// Whether certificates are read again when their files change, and on SIGHUP.
    pub(crate) renews: bool,
}

/// How a server has run.
struct Run {
    /// Lives as long as any handler runs.
    context: Weak<Context>,
    asked_twice: bool,
    ended: crate::server::error::Result,
}

impl Declared {
    /// Ends the declarations.
    pub fn into_server(mut self) -> Server {
        rebroadcast::install_handlers(&mut self.signals);
        let (hands_over, is_carried) =
            (self.options.hand_over.path().is_some(), self.backplane.is_some());
        let (hub, receivers) = Signal::channels(&self.signals, hands_over || is_carried);
        if is_carried {
            hub.channels().for_each(Channel::be_carried);
        }
        #[cfg(feature = "redis")]
        if let Some(backplane) = &mut self.backplane {
            backplane.lasting = Signal::lasting(&self.signals);
        }
        let presence_graces = Signal::presence_graces(&self.signals);
        let signals = Signals::with_presence(hub, self.options.send_timeout, presence_graces);
        Server { declared: self, signals, receivers }
    }
}

impl Server {
    /// Returns the sending handle.
    pub fn signals(&self) -> Signals {
        self.signals.clone()
    }

    /// Starts the server and serves until the program is asked to end by
    /// Ctrl-C, or on Unix by SIGTERM.
    ///
    /// Then the server [stops](RunningServer::stop) gracefully; a second
    /// request ends it at once. Dropping the future stops it at once, too. It
    /// also ends when another process has taken over (option `hand_over`).
    ///
    /// When it is done, handlers that block their threads don't keep the program:
    /// once its runtime is being shut down, the process ends without them, with
    /// status 1. A second request ends the process even if they block the thread
    /// of this future, as does a request when no server runs any more (status 130
    /// or 143).
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start); and an [`EndedError`](crate::EndedError), once it has stopped,
    /// if a part of it [failed](RunningServer::failed).
    pub async fn run(self) -> crate::server::error::Result {
        let Run { context, asked_twice, ended } = self.run_to_end().await?;
        leave_behind_what_blocks(context, asked_twice);
        ended
    }

    async fn run_to_end(self) -> crate::server::error::Result<Run> {
        // Listens first, so that no request is missed during the start.
        let mut requests =
            StopRequests::listen().map_err(|source| StartError::Runtime { source })?;
        let running = self.start().await?;
        let context = Weak::clone(&running.context);
        let ended = tokio::select! {
            () = requests.next() => {
                tracing::info!("stopping; a second request (Ctrl-C, SIGTERM) ends at once");
                Ok(())
            }
            () = running.handed_over() => {
                tracing::info!("another process has taken over");
                Ok(())
            }
            error = running.failed() => Err(error.into()),
        };
        let asked_twice = tokio::select! {
            () = running.stop() => false,
            () = requests.next() => true,
        };
        log::flush();
        Ok(Run { context, asked_twice, ended })
    }

    /// Runs the server on a runtime of its own, with a thread for each core.
    ///
    /// Doesn't wait for handlers that block their threads; whatever `main`
    /// returns is the status then.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run), and if the runtime can't be created.
    pub fn run_blocking(self) -> crate::server::error::Result {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|source| StartError::Runtime { source })?;
        let ended = runtime.block_on(self.run_to_end());
        // Don't wait for threads that read files, or that handlers block.
        runtime.shutdown_background();
        ended?.ended
    }

    /// Binds all endpoints and serves them on the current tokio runtime.
    ///
    /// When it returns, clients can connect. Without endpoints, nothing
    /// listens; that is not an error.
    ///
    /// # Errors
    ///
    /// A [`StartError`] names the endpoint or the view that caused it; then
    /// nothing listens.
    pub async fn start(self) -> crate::server::error::Result<RunningServer> {
        let clock = MachineClock::default();
        let surroundings = Surroundings { inherited: None, clock, shares_time: true, renews: true };
        Ok(self.start_in(surroundings).await?)
    }

    pub(crate) async fn start_in(
        self,
        surroundings: Surroundings<impl JobClock>,
    ) -> Result<RunningServer, StartError> {
        let Surroundings { inherited, clock, shares_time, renews } = surroundings;
        let Server { mut declared, signals, receivers } = self;
        #[cfg(unix)]
        outlive_files_that_are_too_large();
        // Everything that can fail comes before the first request is served.
        let views = declared.read_views()?;
        let client_ids = declared.id_signer()?;
        running::check(&declared.timers, &declared.schedules)?;
        let destinations = declared.destinations()?;
        let mut inherited = inherited.unwrap_or_else(InheritedSockets::from_environment);
        let hand_over = declared.options.hand_over.clone();
        let mut predecessor = match hand_over.path() {
            Some(path) => Predecessor::find(path).await?,
            None => None,
        };
        if let Some(predecessor) = &mut predecessor {
            inherited.handed = predecessor.take_sockets();
        }
        let listeners = bind_all(&declared.endpoints, declared.crate_folder, inherited)?;
        let connections = ConnectionLimit::of_server(&declared.limits(), fd_limit::raise_limit());
        let ports: Arc<[u16]> = listeners.iter().map(|listener| listener.address.port()).collect();
        let served = listeners
            .iter()
            .map(|listener| {
                let (hosts, proxies) = (hosts_of(listener)?, Arc::new(proxies_of(listener)?));
                let is_secure = listener.tls.is_some();
                let served = served_by(&declared, &listener.endpoints, &ports, is_secure)?;
                Ok((hosts, proxies, served))
            })
            .collect::<Result<Vec<_>, StartError>>()?;
        let told_by = declared.operations;
        let rules = listeners.iter().zip(&served).map(|(listener, (_, proxies, _))| {
            let limits = declared.limits_at(&listener.endpoints);
            let mut connections = connections.at(&limits, &declared.limits());
            if is_named(told_by, &listener.endpoints) {
                connections = connections.with_spare();
            }
            ServeOptions { limits, connections, proxies: Arc::clone(proxies) }
        });
        let rules: Vec<_> = rules.collect();

        let failure = Failure::default();
        let watchdog = Watchdog::start().map_err(|source| StartError::Runtime { source })?;
        let context = declared.context(&signals, views, client_ids);
        let readiness = Arc::<Readiness>::default();
        let tickets = &context.tickets;
        let engine = declared.start_engine(receivers, tickets, &failure, watchdog.as_ref())?;
        let backplane = declared.backplane.take();
        let backplane = backplane
            .map(|it| {
                it.begin(declared.name, declared.crate_folder, &context, &readiness, &failure)
            })
            .transpose()?;
        if let Some(backplane) = &backplane {
            backplane.started().await?;
        }
        #[cfg(feature = "upstream")]
        let upstreams = context.upstreams.clone();
        let client_tasks = context.client_tasks.clone();
        let cut_off = context.cut_off.clone().drop_guard();
        let weak_context = Arc::downgrade(&context);
        let Declared { name, options, timers, schedules, upstreams: upstream_tasks, .. } = declared;
        #[cfg(unix)]
        let sockets = match hand_over.path() {
            Some(_) => duplicates(&listeners)?,
            None => Vec::new(),
        };
        // Once the predecessor has let go, this server must start at once.
        #[cfg(unix)]
        let claim = match hand_over.path() {
            Some(path) => Some(Claim::take(path, predecessor, &context).await?),
            None => None,
        };
        let stopping = watch::Sender::new(None);
        let accepting = watch::Sender::new(true);
        let alone = watch::Sender::new(true);
        let tls = listeners.iter().filter(|_| renews).filter_map(|listener| listener.tls.clone());
        let renewal = Renewal::start(tls);
        let mut last_answers = JoinSet::new();
        let mut endpoints = Vec::new();
        let mut tasks = Vec::new();
        let listeners = listeners.into_iter().zip(served).zip(rules);
        for ((listener, (hosts, proxies, served)), rules) in listeners {
            let operations = is_named(told_by, &listener.endpoints);
            let operations = operations.then(|| Arc::new(Operations::new(&readiness)));
            let socket = Arc::new(listener.socket);
            for endpoint in listener.endpoints {
                let (protocol, address) = (endpoint.protocol, listener.address);
                tracing::info!("{name} listens on {protocol}://{address}/");
                endpoints.push(BoundEndpoint { name: endpoint.name, protocol, address });
            }
            let (context, engine) = (Arc::clone(&context), engine.clone());
            let dispatch = Dispatch::new(served, context, engine, Some(stopping.subscribe()));
            let dispatch = Arc::new(dispatch);
            if let Some(operations) = &operations {
                last_answers.spawn(Arc::clone(operations).serve_last(
                    Listener::new(Arc::clone(&socket), alone.subscribe()),
                    listener.tls.clone(),
                    rules.clone(),
                    stopping.subscribe(),
                ));
            }
            let answer = move |mut request: Request<RequestBody<Incoming>>, peer: SocketAddr| {
                let answer = request_smuggling::refused(&request)
                    .or_else(|| operations.as_ref()?.answer(&request))
                    .or_else(|| hosts.as_ref()?.refused(&request));
                if let Some(answer) = answer {
                    if let Some(line) = RequestLine::begin(&request, Some(peer), None) {
                        line.end(&answer, false);
                    }
                    return Either::Left(ready(Ok(answer)));
                }
                let connection = Some(Arc::clone(request.body().activity()));
                let mut client = peer;
                if proxies.trusts(peer.ip()) {
                    let (from, forwarded) = forwarded::read(&proxies, peer, request.headers());
                    client = from;
                    request.extensions_mut().insert(forwarded);
                }
                Either::Right(dispatch.answer(request, Some(client), connection))
            };
            tasks.push(tokio::spawn(serve::serve(
                Listener::new(socket, accepting.subscribe()),
                listener.tls,
                rules,
                answer,
                stopping.subscribe(),
            )));
        }
        let gate = JobGate::default();
        let slots = backplane.as_ref().filter(|_| shares_time).map(RunningBackplane::slots);
        let of_jobs = Arc::clone(&context);
        let jobs = RunningJobs::start(timers, schedules, of_jobs, &clock, &gate, slots, &stopping);
        let upstream_tasks = Arc::new(Mutex::new(UpstreamTasks::start(
            upstream_tasks,
            destinations,
            Arc::clone(&context),
        )));
        #[cfg(unix)]
        let restart = claim.map(|claim| {
            let resources = Resources {
                signals: signals.clone(),
                tickets: Arc::clone(&context.tickets),
                sequences: Arc::clone(&context.sequences),
                gate,
                upstream_tasks: Arc::clone(&upstream_tasks),
                accepting: accepting.clone(),
                readiness: Arc::clone(&readiness),
                alone: alone.clone(),
                sockets,
                drain: options.drain,
                stop_timeout: options.stop_timeout,
            };
            RestartTask::start(claim, resources, failure.clone())
        });
        let mut if_failed = JoinSet::new();
        if_failed.spawn({
            let (failure, stopping) = (failure.clone(), stopping.clone());
            let readiness = Arc::clone(&readiness);
            let (engine, upstream_tasks) = (engine.clone(), Arc::clone(&upstream_tasks));
            async move {
                failure.reported().await;
                readiness.report(Unready::Failed);
                let deadline = Instant::now() + options.stop_timeout;
                stopping.send_replace(Some(deadline));
                let upstream_tasks = async { upstream_tasks.lock().await.stop(deadline).await };
                tokio::join!(upstream_tasks, engine.stop(deadline));
            }
        });
        Ok(RunningServer {
            endpoints,
            signals,
            #[cfg(feature = "upstream")]
            upstreams,
            engine,
            context: weak_context,
            client_tasks,
            _cut_off: cut_off,
            readiness,
            stopping,
            tasks,
            last_answers,
            _alone: alone,
            jobs,
            upstream_tasks,
            #[cfg(unix)]
            restart,
            _accepting: accepting,
            backplane,
            _renewal: renewal,
            _watchdog: watchdog,
            failure,
            _if_failed: if_failed,
            stop_timeout: options.stop_timeout,
        })
    }

    /// Starts everything except the listeners.
    pub(crate) fn embed(self) -> Result<Embedded, StartError> {
        let Server { mut declared, signals, receivers } = self;
        let views = declared.read_views()?;
        let client_ids = declared.id_signer()?;
        let endpoints: Vec<&Endpoint> = declared.endpoints.iter().collect();
        let served = served_by(&declared, &endpoints, &Arc::default(), false)?;
        running::check(&declared.timers, &declared.schedules)?;
        let destinations = declared.destinations()?;
        // A failure is logged; requests and handshakes are refused then.
        let failure = Failure::default();
        let watchdog = Watchdog::start().map_err(|source| StartError::Runtime { source })?;
        let context = declared.context(&signals, views, client_ids);
        let readiness = Arc::<Readiness>::default();
        let tickets = &context.tickets;
        let engine = declared.start_engine(receivers, tickets, &failure, watchdog.as_ref())?;
        let backplane = declared.backplane.take();
        let backplane = backplane
            .map(|it| {
                it.begin(declared.name, declared.crate_folder, &context, &readiness, &failure)
            })
            .transpose()?;
        let Declared { timers, schedules, upstreams: upstream_tasks, .. } = declared;
        let stopping = watch::Sender::new(None);
        let gate = JobGate::default();
        let clock = MachineClock::default();
        let slots = backplane.as_ref().map(RunningBackplane::slots);
        let of_jobs = Arc::clone(&context);
        let jobs = RunningJobs::start(timers, schedules, of_jobs, &clock, &gate, slots, &stopping);
        let upstream_tasks =
            UpstreamTasks::start(upstream_tasks, destinations, Arc::clone(&context));
        let cut_off = context.cut_off.clone().drop_guard();
        let dispatch = Arc::new(Dispatch::new(served, context, engine, None));
        Ok(Embedded {
            dispatch,
            _backplane: backplane,
            _jobs: jobs,
            _upstream_tasks: upstream_tasks,
            _cut_off: cut_off,
            _stopping: stopping,
            _watchdog: watchdog,
        })
    }
}

/// A server that is embedded in another; see [`Server::into_filter`].
pub(crate) struct Embedded {
    pub(crate) dispatch: Arc<Dispatch>,
    _backplane: Option<RunningBackplane>,
    /// Timers and schedules, which end with this.
    _jobs: RunningJobs<Arc<Context>>,
    /// Upstreams, which end with this, too.
    _upstream_tasks: UpstreamTasks<Arc<Context>>,
    /// Handlers whose clients have left, which end with this, too.
    _cut_off: DropGuard,
    /// Never set: an embedded server ends when it is dropped.
    _stopping: watch::Sender<Option<Instant>>,
    _watchdog: Option<Watchdog>,
}

/// Returns duplicates of the sockets.
#[cfg(unix)]
fn duplicates(listeners: &[BoundSocket<'_>]) -> Result<Vec<HandedSocket>, StartError> {
    let duplicate = |bound: &BoundSocket<'_>| {
        let socket = bound.socket.as_fd().try_clone_to_owned();
        let socket = socket.map_err(|source| StartError::Watch { source })?.into();
        Ok(HandedSocket { declared: bound.declared, address: bound.address, socket })
    };
    listeners.iter().map(duplicate).collect()
}

/// Tells whether one of these endpoints has that name.
fn is_named(name: Option<&str>, endpoints: &[&Endpoint]) -> bool {
    endpoints.iter().any(|endpoint| name.is_some() && endpoint.name == name)
}

/// Returns by which hosts a listener is reached.
fn hosts_of(listener: &BoundSocket<'_>) -> Result<Option<HostPolicy>, StartError> {
    let mut named = Vec::new();
    for endpoint in &listener.endpoints {
        let hosts = endpoint.hosts.parsed();
        named.extend(
            hosts.map_err(|reason| StartError::Host { endpoint: endpoint.title(), reason })?,
        );
    }
    // Where it was declared: a test has it listen elsewhere.
    let address = SocketAddr::new(listener.declared.ip(), listener.address.port());
    Ok(HostPolicy::new(named, address))
}

/// Returns the proxies in front of a listener. One of its endpoints names them,
/// or several name the same.
fn proxies_of(listener: &BoundSocket<'_>) -> Result<Proxies, StartError> {
    let mut naming = listener.endpoints.iter().filter(|it| !it.trusted_proxies.is_none());
    let opening = listener.endpoints.iter().find(|endpoint| endpoint.proxy_protocol);
    let Some(first) = naming.next() else {
        return match opening {
            Some(endpoint) => Err(StartError::NoProxies { endpoint: endpoint.title() }),
            None => Ok(Proxies::default()),
        };
    };
    if let Some(other) = naming.find(|other| other.trusted_proxies != first.trusted_proxies) {
        return Err(StartError::OtherProxies { endpoint: other.title() });
    }
    let proxies = first.trusted_proxies.parsed();
    let mut proxies =
        proxies.map_err(|reason| StartError::Network { endpoint: first.title(), reason })?;
    proxies.open_by_proxy_protocol = opening.is_some();
    Ok(proxies)
}

/// Returns what is served where these endpoints listen; `ports` are those of
/// all endpoints.
fn served_by(
    declared: &Declared,
    endpoints: &[&Endpoint],
    ports: &Arc<[u16]>,
    is_secure: bool,
) -> Result<Served, StartError> {
    let policy = |origins: &Origins, declaration: &dyn Fn() -> String| {
        OriginPolicy::new(origins, Arc::clone(ports), is_secure)
            .map_err(|reason| StartError::Origin { declaration: declaration(), reason })
    };
    let of = |signals: bool| {
        endpoints.iter().find(move |endpoint| endpoint.protocol.serves_signals() == signals)
    };
    let chooses = |chosen: &[&str], endpoint: &Endpoint| {
        chosen.is_empty() || endpoint.name.is_some_and(|name| chosen.contains(&name))
    };
    let mut served = Served { limits: declared.limits_at(endpoints), ..Served::default() };
    if let Some(endpoint) = of(true) {
        for signal in declared.signals.iter().filter(|it| chooses(it.endpoints, endpoint)) {
            let declaration = || format!("signal `{}`", signal.path);
            let origins = policy(&signal.options.origins, &declaration)?;
            served.signals.push(SignalRoute::new(signal.clone(), origins));
        }
    }
    if let Some(endpoint) = of(false) {
        served.publics = declared.publics.clone();
        served.mounts = declared.mounts.clone();
        let here = declared.routes.iter().filter(|route| chooses(route.endpoints, endpoint));
        // A route bound to this endpoint takes precedence over one for all
        // endpoints.
        let (for_all, bound): (Vec<_>, Vec<_>) = here.partition(|route| route.endpoints.is_empty());
        for routes in [bound, for_all] {
            let first = served.routes.len();
            for route in routes {
                let index = served.routes.len();
                let limits = route.options.limits.within(served.limits);
                let declaration = || format!("route `{}`", route.path);
                let origins = policy(&route.options.origins, &declaration)?;
                let info = RouteInfo { parameters: route.parameters(), limits, origins };
                served.routes.push((route.filter.clone(), info));
                for method in route.methods {
                    let earlier = served.table.insert(*method, &route.path, index);
                    if earlier.is_some_and(|earlier| earlier >= first) {
                        return Err(StartError::RouteTwice { route: title(*method, route) });
                    }
                }
            }
        }
    }
    Ok(served)
}

fn title(method: Method, route: &crate::server::declare::Route) -> String {
    format!("{method} {}", route.path)
}
