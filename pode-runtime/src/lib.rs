//! The run time of pode: sockets, clocks and tasks, in layers.
//!
//! From the lowest: `base`, `net`, `http`; then `content`, `jobs`, `push` and
//! [`upstream`]; `app`; `backplane`, `signal` and `web`; `server`; `test`. A folder imports
//! only from those before it.
//!
//! An expansion tells [`declared::Declared`] what a server is made of; the
//! [`Server`] that comes of it binds its endpoints and serves them. A request
//! goes from `http::serve` through `server::dispatch` to the warp filter of its
//! route; a payload goes from [`Signals`] through the hub of `pode-core` to
//! `push::engine`, which writes it to the sockets.

mod app;
#[cfg(feature = "redis")]
mod backplane;
#[cfg(not(feature = "redis"))]
#[path = "backplane/off.rs"]
mod backplane;
mod base;
mod content;
mod http;
mod jobs;
mod net;
mod push;
mod server;
pub mod signal;
#[cfg(feature = "test")]
pub mod test;
#[cfg(feature = "upstream")]
pub mod upstream;
#[cfg(not(feature = "upstream"))]
#[path = "upstream/off.rs"]
mod upstream;
mod web;

pub use app::client_ids;
pub use app::client_ids::{ClientIds, Secret, secret_from_env, signed_by};
pub use app::event;
pub use app::event::{
    ConnectEvent, DisconnectEvent, SignalClient, SignalEvent, TimerEvent, WebEvent,
};
pub use base::error::{CertificateError, EndedError, EventError, InvokeError, StartError};
pub use base::limits::{DeclaredLimits, Limits};
pub use base::log::{LogWriter, log_to_terminal, log_writer, print_panic};
pub use base::outcome::Outcome;
pub use base::{function, outcome};
pub use bytes::Bytes;
pub use content::folder::Folder;
pub use content::public::PublicOptions;
pub use cookie::Cookie;
pub use http::decode::Received;
pub use http::hosts::Hosts;
pub use http::origin::{Origins, pages_of};
pub use jobs::claim::FiresOn;
pub use jobs::timer::TimerOptions;
pub use net::proxies::{TrustedProxies, forwarded_by};
pub use net::tls::certificate;
pub use net::tls::certificate::{Certificate, ClientAuthorities, ClientCertificate};
pub use push::clients;
pub use push::clients::Clients;
pub use push::engine::{OnLag, Replay};
pub use push::publisher as signals;
pub use push::publisher::Signals;
pub use push::raw_message::RawMessage;
pub use push::session::DisconnectReason;
pub use server::declare as declared;
pub use server::embed::Service;
pub use server::error::{Error, Result};
pub use server::option_values;
pub use server::options::{EndpointOptions, ServerOptions};
pub use server::restart::HandOver;
pub use server::running::{BoundEndpoint, RunningServer};
pub use server::start::Server;
pub use signal::options::{EventStreams, SignalOptions};
pub use signal::{FromMessage, Rebroadcast};
pub use web::argument::{form, json, path, query};
pub use web::route::RouteOptions;
pub use web::{argument, reply, route};
#[cfg(feature = "views")]
pub use {
    content::view::Views,
    web::view::{show, view_filter},
};

#[cfg(feature = "redis")]
pub use backplane::{Backplane, BackplaneName, BackplaneOptions, BackplaneStart};
#[cfg(any(feature = "redis", feature = "upstream"))]
pub use net::roots::{Roots, roots_of, system_roots_and};
#[cfg(feature = "schedule")]
pub use {app::event::ScheduleEvent, jobs::schedule::ScheduleOptions};
#[cfg(feature = "upstream")]
pub use {
    app::event::UpstreamEvent,
    upstream::{Upstream, UpstreamError, UpstreamOptions},
};
