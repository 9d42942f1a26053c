//! Declare a push server in one block of Rust.
//!
//! ```no_run
//! use pode::prelude::*;
//!
//! pode_server! {
//!     /// Tells everyone who listens what is typed.
//!     pub server news;
//!
//!     endpoint http "127.0.0.1:8090";
//!     endpoint ws   "127.0.0.1:8091";
//!
//!     signal NEWS: String = "/";
//!
//!     route POST "/broadcast" (form: Broadcast) => broadcast;
//! }
//!
//! #[derive(Deserialize)]
//! struct Broadcast {
//!     message: String,
//! }
//!
//! async fn broadcast(event: WebEvent, form: Broadcast) -> Result<(), SendError> {
//!     event.send(NEWS, &form.message).await
//! }
//!
//! fn main() -> pode::Result {
//!     pode::log_to_terminal();
//!     news().run_blocking()
//! }
//! ```
//!
//! [`pode_server!`] declares a function that builds the [`Server`], one
//! constant for each signal (a [`SignalPath`], or a [`SignalFamily`] of paths),
//! upstream ([`UpstreamName`]) and state ([`StateName`]). So a send to an undeclared
//! signal or with a payload of another type doesn't compile. Neither does a
//! route that is declared twice, a missing view, a port out of range, or a page
//! that requests something this server doesn't have. Each mistake has a code, such
//! as PODE017, which [`checks`] explains. [`keyword`] explains the language word by
//! word, and [`guide`] what takes a page. [`log_to_terminal`] prints where the server
//! listens, each request and what goes wrong. Expansions name the crate `pode`, so
//! `Cargo.toml` can't give it another name.
//!
//! Each route becomes one warp filter, and each signal path one tokio broadcast
//! channel. A message is encoded once, however many clients listen.
//!
//! # What a program depends on
//!
//! | crate | what it is needed for |
//! |---|---|
//! | `serde`, with its feature `derive` | `#[derive(Serialize, Deserialize)]` on messages, forms and queries: the prelude has these names, and what they write names `serde` |
//! | `serde_json` | `json!` for a reply or a view without a type of its own; its `RawValue` (feature `raw_value`) for [`send_json`](Signals::send_json) |
//! | `tokio` | `#[tokio::main]` (features `macros`, `rt-multi-thread`) with [`Server::start`] instead of [`run_blocking`](Server::run_blocking); `spawn`, `sleep` (feature `time`), channels and locks in handlers |
//! | `tracing` | own lines in the log: `tracing::info!("…")` |
//!
//! The last three may be left out until then.
//!
//! # What handlers return
//!
//! The handler of a route returns a [`Reply`], or a `Result<impl Reply, E>` if it
//! may fail; that of anything else nothing, or a `Result<(), E>`. Where one kind of
//! error occurs, `E` is that: [`SendError`], [`std::io::Error`], one of your own. For
//! several, `Box<dyn std::error::Error + Send + Sync>` takes any error by `?`.
//! `Send + Sync` is needed since a handler may be moved between threads.
//!
//! An [`EventError`], also in such a box, tells the client its status and its text.
//! Any other error is for the log, and the client gets a bare 500.
//!
//! ```
//! use pode::prelude::*;
//!
//! pode_server! {
//!     server plans;
//!     endpoint http "127.0.0.1:8090";
//!     route GET "/plans/:name" (name: String) => show;
//! }
//!
//! type BoxError = Box<dyn std::error::Error + Send + Sync>;
//!
//! async fn show(_: WebEvent, name: String) -> Result<impl Reply, BoxError> {
//!     if name != "house" {
//!         return Err(EventError::new(404, "there is no such plan").into());
//!     }
//!     // An error of the disk is logged.
//!     Ok(text(std::fs::read_to_string("/srv/plans/house.txt")?))
//! }
//! # let _ = plans();
//! ```
//!
//! # Cargo features
//!
//! | feature | what it brings | default |
//! |---|---|---|
//! | `tls` | `https` and `wss` endpoints with their certificates, and those of clients; upstreams by `wss` | on |
//! | `views` | `views`, and replies by `view(…)` | on |
//! | `upstream` | `upstream` | on |
//! | `schedule` | `schedule`: cron expressions and time zones | on |
//! | `multipart` | the argument `multipart`: forms with files | on |
//! | `redis` | `backplane redis`: the messages of one server on many machines | off |
//! | `encrypted-keys` | keys with a password, in PEM form; turns `tls` on | off |
//! | `pfx` | certificates in PKCS#12 form, `.pfx` or `.p12`; turns `encrypted-keys` on | off |
//! | `test` | `pode::test`: tests of one's own server; for `[dev-dependencies]` | off |
//!
//! With `default-features = false`, a program builds faster and depends on less.
//! A word of [`pode_server!`] whose feature is off is a compile error that names
//! the feature (PODE140), or an error at the start, where only that can tell. What
//! handlers use of a feature, such as `view(…)`, is missing then. If a build
//! dependency uses `pode` with more features, cargo gives the macro those, too, and
//! rustc tells what the program's own `pode` doesn't have.
//!
//! # Views and public files
//!
//! Their folders are relative to the crate's `Cargo.toml`. A build with debug
//! assertions, such as that of `cargo run`, reads the files from there on each
//! use, so a changed page shows at once. A release build embeds all their
//! files: the binary alone is enough. (Cargo rebuilds it when one of them
//! changes. It can't see that one was added: save a Rust file, too.)
//!
//! The compiler checks the addresses in pages against the server: those in
//! `href`, `src`, `action` and similar attributes, and those in `fetch(…)`,
//! `new WebSocket(…)` and `new EventSource(…)` that are literals. An address
//! that leads nowhere, uses the wrong method, or names a port where nothing
//! listens is an error with file and line. If the address belongs to another
//! server after all, a comment on the same line or the one above says so:
//! `<!-- pode: external -->`, `// pode: external`.
//!
//! # Clients that send
//!
//! A signal of two types receives messages of the first from its clients, and
//! sends them those of the second. Handlers accept clients and learn when they
//! have disconnected. Messages go to all clients, to a group, to one client, or
//! back to the sender. The pages of [`signal`](keyword::signal),
//! [`on`](keyword::on) and [`rebroadcast`](keyword::rebroadcast) describe this
//! in full, and [`guide::presence`] how clients know who else is there.
//!
//! ```
//! use pode::prelude::*;
//!
//! pode_server! {
//!     server helpdesk { client_ids: signed_by(secret_from_env("HELPDESK_SECRET")) };
//!     endpoint ws 8090;
//!     signal DESK: Question -> String = "/desk" { messages_per_second: 5 } => ask;
//!     on connect DESK => enter;
//!     on disconnect DESK => leave;
//! }
//!
//! #[derive(Deserialize)]
//! struct Question {
//!     text: String,
//! }
//!
//! /// Admits clients that have a name, and puts helpers into a group.
//! async fn enter(event: ConnectEvent<String>) -> Result<(), EventError> {
//!     let name = event.cookie("name").ok_or(EventError::new(401, "who are you?"))?;
//!     if name == "ada" {
//!         event.join_group("helpers");
//!     }
//!     event.greet(&format!("hello, {name}"))?;
//!     event.set_state(name);
//!     Ok(())
//! }
//!
//! /// Passes the question on to the helpers, and answers the client.
//! async fn ask(event: SignalEvent<String>, question: Question) -> Result<(), SendError> {
//!     event.send(DESK, &question.text).to_group("helpers").await?;
//!     event.reply(&"somebody will answer".to_owned()).await
//! }
//!
//! async fn leave(event: DisconnectEvent) -> Result<(), SendError> {
//!     let text = format!("{} has gone: {:?}", event.client().id(), event.reason());
//!     event.send(DESK, &text).to_group("helpers").await
//! }
//!
//! # let _ = helpdesk();
//! ```
//!
//! # Limits
//!
//! By default, limits bound what a client may request and how long it may take.
//! [`Limits`] has all of them except those for messages from the clients of a
//! signal, which are in [`SignalOptions`]. A server, an endpoint or a route may
//! override some.
//!
//! ```
//! use pode::prelude::*;
//!
//! pode_server! {
//!     server album { limits: Limits { max_connections_per_address: 100 } };
//!     endpoint http "127.0.0.1:8090" { limits: Limits { head_timeout: 5s } };
//!     route POST "/photos" (body: Vec<u8>) { limits: Limits { max_body_bytes: 16 << 20 } } => keep;
//! }
//!
//! async fn keep(_: WebEvent, photo: Vec<u8>) -> impl Reply {
//!     text(format!("{} bytes are kept", photo.len()))
//! }
//! # let _ = album();
//! ```
//!
//! # Values that handlers share
//!
//! `state NAME: Type = value;` declares one, and `event.state(NAME)` returns a
//! reference to it in a handler. An `async` closure that captures a variable can't be a
//! handler, since it would lend the variable to requests that outlive it.
//!
//! ```
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use pode::prelude::*;
//!
//! pode_server! {
//!     server counter;
//!     endpoint http "127.0.0.1:8090";
//!     state VISITS: AtomicU64 = AtomicU64::new(0);
//!     route GET "/" => async |event| {
//!         let visits = event.state(VISITS).fetch_add(1, Ordering::Relaxed);
//!         text(format!("visits before yours: {visits}"))
//!     };
//! }
//! # let _ = counter();
//! ```

#[cfg_attr(not(doctest), doc = include_str!("../docs/checks.md"))]
pub mod checks {}
/// Pages on what takes more than a word: how a page listens, how a history is kept, how
/// pages know who is there, how a new version replaces the old one, what a proxy in front
/// needs, what clients of `pode.v1` do, and what is seen of many machines.
pub mod guide {
    // In the repository, the links of these pages lead to files. Of several definitions
    // of a link, the first counts: the one here.
    #[doc = include_str!("../docs/behind-a-proxy.md")]
    pub mod behind_a_proxy {}
    #[doc = "[proxy]: crate::guide::behind_a_proxy"]
    #[doc = "[history]: crate::guide::history"]
    #[doc = "[filling]: crate::guide::history#filling-it-at-the-start"]
    #[doc = "[protocol]: crate::guide::protocol"]
    #[doc = "[tickets]: crate::guide::protocol#tickets"]
    #[doc = "[operations]: crate::guide::behind_a_proxy#which-process-may-get-clients"]
    #[doc = ""]
    #[doc = include_str!("../docs/deploy.md")]
    pub mod deploy {}
    #[doc = "[protocol]: crate::guide::protocol"]
    #[doc = "[sent]: crate::guide::protocol#from-the-client"]
    #[doc = "[deploy]: crate::guide::deploy"]
    #[doc = "[scaling]: crate::guide::scaling"]
    #[doc = ""]
    #[doc = include_str!("../docs/history.md")]
    pub mod history {}
    #[doc = "[protocol]: crate::guide::protocol"]
    #[doc = "[twice]: crate::guide::history#what-may-be-handled-twice"]
    #[doc = "[keys]: crate::guide::history#the-newest-of-each-key"]
    #[doc = "[presence]: crate::guide::presence"]
    #[doc = "[hello]: crate::guide::protocol#from-the-server"]
    #[doc = "[codes]: crate::guide::protocol#close-codes"]
    #[doc = "[streams]: crate::guide::protocol#event-streams"]
    #[doc = "[history]: crate::guide::history"]
    #[doc = ""]
    #[doc = include_str!("../docs/pages.md")]
    pub mod pages {}
    #[doc = "[deploy]: crate::guide::deploy"]
    #[doc = "[scaling]: crate::guide::scaling"]
    #[doc = "[protocol]: crate::guide::protocol"]
    #[doc = ""]
    #[doc = include_str!("../docs/presence.md")]
    pub mod presence {}
    #[doc = "[history]: crate::guide::history"]
    #[doc = "[twice]: crate::guide::history#what-may-be-handled-twice"]
    #[doc = "[deploy]: crate::guide::deploy"]
    #[doc = "[presence]: crate::guide::presence"]
    #[doc = ""]
    #[doc = include_str!("../docs/protocol.md")]
    pub mod protocol {}
    #[doc = "[proxy]: crate::guide::behind_a_proxy"]
    #[doc = "[history]: crate::guide::history"]
    #[doc = "[twice]: crate::guide::history#what-may-be-handled-twice"]
    #[doc = "[tickets]: crate::guide::protocol#tickets"]
    #[doc = "[presence]: crate::guide::presence"]
    #[doc = ""]
    #[cfg_attr(feature = "redis", doc = include_str!("../docs/scaling.md"))]
    #[cfg_attr(not(feature = "redis"), doc = "It needs the Cargo feature `redis`.")]
    pub mod scaling {}
}
pub mod keyword;
pub mod prelude;
#[cfg(feature = "test")]
pub mod test;

/// The Rust of the pages outside is compiled as it stands. That of `checks` is in
/// parts, which the tests of the macro read.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/endurance.md")]
    mod endurance {}
    #[doc = include_str!("../docs/performance.md")]
    mod performance {}
    #[doc = include_str!("../docs/protocol.md")]
    mod protocol {}
}

#[doc(hidden)]
pub mod __private;

/// The warp that pode is built on, for filters to [`mount`](keyword::mount).
pub use warp;

pub use pode_core::{
    Address, ClientId, ClientIdError, FamilyPath, KeyedTarget, LatestBy, Nothing, Protocol,
    SendError, SignalFamily, SignalPath, SignalTarget, StateName, UpstreamName, hub::Position,
    level,
};
/// Makes a struct the data of a view, and a reply.
///
/// `#[view("users/list")]` names the template `views/users/list.html` of the crate;
/// if its views are in another folder, `#[view("users/list", folder = "pages")]`.
/// The compiler reads it, and what it includes and extends: each variable that is
/// needed is a field, by the name that serde gives it. What may be missing is
/// written as such: `{{ title | default("") }}`, or `{% if title is defined %}`.
/// Fields with `#[serde(flatten)]` may give any variables, so none is missed then.
///
/// The reply is made from that folder of the crate with the struct, whatever
/// [`views`](keyword::views) its server has, if any: a library may bring its own. As
/// there, it is read on each use while developing, and what the view is made of is
/// part of a release build. What the page links to, requests and listens to is
/// compared with a server only if that names the folder by `views`.
///
/// ```no_run
/// use pode::prelude::*;
///
/// #[derive(Serialize, View)]
/// #[view("room", folder = "examples/chat_rooms/views")]
/// struct Room {
///     room: String,
/// }
///
/// async fn show(_: WebEvent) -> Room {
///     Room { room: "kitchen".to_owned() }
/// }
/// ```
pub use pode_macros::View;
pub use pode_macros::pode_server;
pub use pode_runtime::argument::FromBody;
#[cfg(feature = "multipart")]
pub use pode_runtime::argument::{Multipart, Part};
pub use pode_runtime::certificate::{self, Certificate, ClientAuthorities, ClientCertificate};
pub use pode_runtime::event::{
    self, ConnectEvent, DisconnectEvent, SignalClient, SignalEvent, TimerEvent, WebEvent,
};
pub use pode_runtime::outcome::{self, Outcome};
pub use pode_runtime::reply::{self, Reply};
pub use pode_runtime::signals::{self, Signals};
#[cfg(feature = "redis")]
pub use pode_runtime::{BackplaneName, BackplaneOptions, BackplaneStart};
pub use pode_runtime::{
    BoundEndpoint, Bytes, CertificateError, ClientIds, Clients, Cookie, DeclaredLimits,
    DisconnectReason, EndedError, EndpointOptions, Error, EventError, EventStreams, FiresOn,
    FromMessage, HandOver, Hosts, InvokeError, Limits, LogWriter, OnLag, Origins, PublicOptions,
    RawMessage, Rebroadcast, Replay, Result, RouteOptions, RunningServer, Secret, Server,
    ServerOptions, Service, SignalOptions, StartError, TimerOptions, TrustedProxies, forwarded_by,
    log_to_terminal, log_writer, pages_of, print_panic, secret_from_env, signed_by,
};
#[cfg(any(feature = "redis", feature = "upstream"))]
pub use pode_runtime::{Roots, roots_of, system_roots_and};
#[cfg(feature = "schedule")]
pub use pode_runtime::{ScheduleEvent, ScheduleOptions};
#[cfg(feature = "upstream")]
pub use pode_runtime::{
    UpstreamEvent, UpstreamOptions,
    upstream::{self, Upstream, UpstreamError},
};
