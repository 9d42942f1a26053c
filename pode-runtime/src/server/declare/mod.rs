//! The declarations of a server, as an expansion makes them; `signal` and `handlers`
//! have those of signals, `backplane`, `schedule` and `upstream` those of the nouns.

#[cfg(feature = "redis")]
mod backplane;
mod handlers;
#[cfg(feature = "schedule")]
mod schedule;
mod signal;
#[cfg(feature = "upstream")]
mod upstream;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pode_core::hub::Receiver;
use pode_core::{Address, Method, Protocol, RoutePath};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use warp::filters::BoxedFilter;
use warp::{Filter, Rejection};

use crate::app::client_ids::IdSigner;
use crate::app::context::Context;
use crate::app::event::TimerEvent;
use crate::app::state::States;
use crate::app::tickets::Tickets;
use crate::backplane::Backplane;
use crate::base::debug_form::debug_form;
use crate::base::error::StartError;
use crate::base::function::{Function, Takes};
use crate::base::limits::{DeclaredLimits, Limits};
use crate::base::outcome::{Asynchronous, Outcome};
use crate::base::supervisor::Failure;
use crate::base::watchdog::Watchdog;
use crate::content::folder::Folder;
use crate::content::public::{Public, PublicOptions};
use crate::content::view::Views;
use crate::http::hosts::Hosts;
use crate::jobs::schedule::Schedule;
use crate::jobs::timer::{Timer, TimerOptions};
use crate::net::proxies::TrustedProxies;
use crate::net::tls::certificate::{Certificate, ClientAuthorities};
use crate::push::engine::{Engine, Envelope};
use crate::push::publisher::Signals;
use crate::push::session::Renews;
use crate::server::dispatch::Mount;
use crate::server::option_bounds::{self, Bounded};
use crate::server::options::{EndpointOptions, ServerOptions};
use crate::signal::{Signal, positions};
#[cfg(feature = "upstream")]
use crate::upstream::Upstreams;
use crate::upstream::{DeclaredUpstream, Destination};
use crate::web::route::{RouteFilter, RouteOptions};

/// The declarations of a server, in their order.
///
/// The macro has checked them; values known only at run time, such as an
/// address made by an expression, are checked at the start.
#[derive(Debug)]
pub struct Declared {
    pub(crate) name: &'static str,
    pub(crate) options: ServerOptions,
    /// The base folder of certificate paths during development.
    pub(crate) crate_folder: Option<&'static Path>,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) backplane: Option<Backplane>,
    /// The endpoint that tells how the server is.
    pub(crate) operations: Option<&'static str>,
    pub(crate) views: Option<Folder>,
    pub(crate) publics: Vec<Public>,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) routes: Vec<Route>,
    pub(crate) signals: Vec<Signal>,
    pub(crate) states: States,
    pub(crate) timers: Vec<Timer<Arc<Context>>>,
    pub(crate) schedules: Vec<Schedule<Arc<Context>>>,
    pub(crate) upstreams: Vec<DeclaredUpstream<Arc<Context>>>,
}

/// Where a server is to listen.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) name: Option<&'static str>,
    pub(crate) protocol: Protocol,
    pub(crate) address: Address,
    pub(crate) certificate: Certificate,
    pub(crate) authorities: ClientAuthorities,
    pub(crate) hosts: Hosts,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) proxy_protocol: bool,
    pub(crate) limits: DeclaredLimits,
}

impl Endpoint {
    /// Returns what errors and the log call it.
    pub(crate) fn title(&self) -> String {
        match self.name {
            Some(name) => format!("{name} {}", self.protocol),
            None => self.protocol.to_string(),
        }
    }
}

/// A route: answers requests of some methods at a path.
pub(crate) struct Route {
    pub(crate) methods: &'static [Method],
    pub(crate) path: RoutePath,
    /// The endpoints it is served at; empty means all HTTP endpoints.
    pub(crate) endpoints: &'static [&'static str],
    pub(crate) filter: RouteFilter,
    pub(crate) options: RouteOptions,
}

impl Declared {
    /// Begins a server.
    pub fn new(name: &'static str, options: ServerOptions) -> Declared {
        Declared {
            name,
            options: options.bounded(),
            crate_folder: None,
            endpoints: Vec::new(),
            backplane: None,
            operations: None,
            views: None,
            publics: Vec::new(),
            mounts: Vec::new(),
            routes: Vec::new(),
            signals: Vec::new(),
            states: States::default(),
            timers: Vec::new(),
            schedules: Vec::new(),
            upstreams: Vec::new(),
        }
    }

    /// Sets the folder of the crate during development.
    pub fn crate_folder(&mut self, folder: &'static str) {
        self.crate_folder = Some(Path::new(folder));
    }

    /// Adds an endpoint.
    pub fn endpoint(
        &mut self,
        name: Option<&'static str>,
        protocol: Protocol,
        address: impl Into<Address>,
        options: EndpointOptions,
    ) {
        let EndpointOptions {
            certificate,
            client_certificate: authorities,
            hosts,
            trusted_proxies,
            proxy_protocol,
            limits,
        } = options.bounded();
        let address = address.into();
        self.endpoints.push(Endpoint {
            name,
            protocol,
            address,
            certificate,
            authorities,
            hosts,
            trusted_proxies,
            proxy_protocol,
            limits,
        });
    }

    /// Names the endpoint that tells how the server is.
    pub fn operations(&mut self, endpoint: &'static str) {
        self.operations = Some(endpoint);
    }

    /// Names the folder of views.
    pub fn views(&mut self, folder: Folder) {
        self.views = Some(folder);
    }

    /// Adds a folder of public files.
    pub fn public(&mut self, prefix: &'static str, folder: Folder, options: PublicOptions) {
        self.publics.push(Public::new(prefix, folder, options.bounded()));
    }

    /// Adds a warp filter that answers under a prefix; its rejections are
    /// answered as warp does.
    pub fn mount<F: Mountable>(&mut self, prefix: &'static str, filter: F) {
        let segments = prefix.split('/').filter(|segment| !segment.is_empty());
        // Each segment is removed from the path, so the filter sees the rest.
        let prefix = segments
            .clone()
            .fold(warp::any().boxed(), |before, segment| before.and(warp::path(segment)).boxed());
        let filter = prefix.and(filter.answering()).boxed();
        self.mounts.push(Mount { prefix: segments.map(str::to_owned).collect(), filter });
    }

    /// Adds a value that handlers share.
    pub fn state<T: Send + Sync + 'static>(&mut self, name: &'static str, value: T) {
        self.states.insert(name, value);
    }

    /// Adds a route and the filter that answers for it.
    ///
    /// # Panics
    ///
    /// When `path` is not a route path; the macro has parsed it before.
    pub fn route(
        &mut self,
        methods: &'static [Method],
        path: &'static str,
        endpoints: &'static [&'static str],
        filter: RouteFilter,
    ) -> RouteBuilder<'_> {
        let path = path.parse().expect("the macro parsed this path by the same rules");
        let options = RouteOptions::default();
        self.routes.push(Route { methods, path, endpoints, filter, options });
        RouteBuilder { route: self.routes.last_mut().expect("it was just added") }
    }

    /// Adds a timer.
    pub fn timer<Handler, Done>(
        &mut self,
        name: &'static str,
        interval: Duration,
        options: TimerOptions,
        handler: Handler,
    ) where
        Handler: Fn(TimerEvent) -> Done + Send + Sync + 'static,
        Done: Asynchronous<Value: Outcome> + Send + 'static,
    {
        let handler = move |firing| handler(TimerEvent::new(firing));
        self.timers.push(Timer::new(name, option_bounds::interval(interval), options, handler));
    }

    /// Adds a timer whose handler is a function.
    pub fn timer_function<Handler, Taken, Done>(
        &mut self,
        name: &'static str,
        interval: Duration,
        options: TimerOptions,
        handler: Handler,
    ) where
        Handler: Function<Taken, Answer = Done> + Send + Sync + 'static,
        Taken: Takes<(TimerEvent,)>,
        Done: Asynchronous<Value: Outcome> + Send + 'static,
    {
        self.timer(name, interval, options, move |event| handler.call(Taken::of((event,))));
    }
}

/// A filter that can be mounted.
#[diagnostic::on_unimplemented(
    message = "this is nothing that can be mounted",
    label = "a mount takes a warp filter",
    note = "a filter gives one reply, and is `Clone`, `Send` and `Sync`; a function that makes one is called: `api()`",
    note = "a handler belongs to a route: `route GET \"/api/*rest\" (rest: String) => api;`"
)]
pub trait Mountable {
    /// Makes it answer with whole responses.
    fn answering(self) -> BoxedFilter<(warp::reply::Response,)>;
}

#[diagnostic::do_not_recommend]
impl<F, R> Mountable for F
where
    F: Filter<Extract = (R,)> + Clone + Send + Sync + 'static,
    F::Error: Into<Rejection>,
    R: warp::Reply + Send + 'static,
{
    fn answering(self) -> BoxedFilter<(warp::reply::Response,)> {
        // Boxing unifies the error types, including one that never occurs.
        self.boxed().map(warp::Reply::into_response).boxed()
    }
}

/// A route that has been added, to set its options.
#[derive(Debug)]
pub struct RouteBuilder<'declared> {
    route: &'declared mut Route,
}

impl RouteBuilder<'_> {
    /// Sets the options.
    pub fn options(self, options: RouteOptions) {
        self.route.options = options.bounded();
    }
}

impl Declared {
    /// Reads the templates, if a folder of views is declared.
    pub(crate) fn read_views(&self) -> Result<Option<Views>, StartError> {
        self.views.clone().map(Views::new).transpose()
    }

    /// Returns the destinations of the upstreams, in their order.
    pub(crate) fn destinations(&self) -> Result<Vec<Destination>, StartError> {
        self.upstreams.iter().map(|upstream| upstream.destination(self.crate_folder)).collect()
    }

    /// Returns the limits of the whole server.
    pub(crate) fn limits(&self) -> Limits {
        self.options.limits.within(Limits::default())
    }

    /// Returns the limits of an address. Endpoints that share it share the
    /// limits that one of them names; if several name one, the first counts.
    pub(crate) fn limits_at(&self, endpoints: &[&Endpoint]) -> Limits {
        let endpoints = endpoints.iter().rev();
        endpoints.fold(self.limits(), |around, endpoint| endpoint.limits.within(around))
    }

    /// Starts the engine that carries this server's messages.
    pub(crate) fn start_engine(
        &self,
        receivers: Vec<Receiver<Envelope>>,
        tickets: &Arc<Tickets>,
        failure: &Failure,
        watchdog: Option<&Watchdog>,
    ) -> Result<Engine, StartError> {
        let policy = |path: &str| {
            let signal = self.signals.iter().find(|signal| signal.path == path);
            let signal = signal.expect("each channel is that of a declared signal");
            signal.policy()
        };
        let renews = Arc::clone(tickets) as Arc<dyn Renews>;
        let blocked = watchdog.map(Watchdog::blocked);
        let engine = Engine::start(receivers, policy, Some(&renews), failure, blocked);
        engine.map_err(|source| StartError::Watch { source })
    }

    /// Reads the secret that signs client ids, if there is one.
    pub(crate) fn id_signer(&self) -> Result<IdSigner, StartError> {
        self.options.client_ids.signer(self.options.client_id_lifetime)
    }

    /// Makes the context.
    pub(crate) fn context(
        &self,
        signals: &Signals,
        views: Option<Views>,
        client_ids: IdSigner,
    ) -> Arc<Context> {
        Arc::new(Context {
            signals: signals.clone(),
            positions: positions(&self.signals, signals.clone()),
            states: self.states.clone(),
            #[cfg(feature = "upstream")]
            upstreams: Upstreams::of(&self.upstreams),
            views,
            policy: self.options.content_security_policy,
            tickets: Arc::new(Tickets::new(&client_ids)),
            client_ids,
            sequences: Default::default(),
            catch_up: Default::default(),
            client_tasks: TaskTracker::new(),
            cut_off: CancellationToken::new(),
        })
    }
}

impl Route {
    pub(crate) fn parameters(&self) -> Arc<[Arc<str>]> {
        self.path.parameters().map(Arc::from).collect()
    }
}

debug_form!(Mount, |it| { prefix: it.prefix });

debug_form!(Route, |it| { methods: it.methods, path: it.path });
