//! The words of [`pode_server!`](crate::pode_server), one item each.
//!
//! These items are documentation only: an editor shows a word's page where the
//! word stands. An invocation is a head and declarations, each ended by `;`.
//! Declarations may stand in any order, and may have doc comments and
//! `#[cfg(…)]`.
//!
//! | declaration | what it declares |
//! |---|---|
//! | [`server`] | the head: a function that builds the server |
//! | [`endpoint`] | an address, and its protocol: [`http`], [`https`], [`ws`] or [`wss`] |
//! | [`operations`] | the endpoint that tells whether the server works and may get clients |
//! | [`views`] | the folder of templates |
//! | [`public`] | a folder of static files |
//! | [`route`] | the handler, view or redirect for requests of a method and a path |
//! | [`mount`] | any warp filter, under a prefix |
//! | [`signal`] | a path on which clients listen, and may send |
//! | [`backplane`] | what carries messages between the machines that run the server |
//! | [`on`] | a handler for clients that connect or disconnect |
//! | [`state`] | a value that handlers share |
//! | [`timer`] | a handler that runs at an interval |
//! | [`schedule`] | a handler that runs at times of the day and the year |
//! | [`upstream`] | a connection to a WebSocket of another server |
#![allow(non_camel_case_types, reason = "the words are lower case where they stand")]

macro_rules! keywords {
    ($($(#[doc = $doc:literal])* $keyword:ident)*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $keyword {}
    )*};
}

mod conversation;

pub use conversation::*;

keywords! {
    /// `pub server name;` begins an invocation.
    ///
    /// It declares the function `name()`, which returns a
    /// [`Server`](crate::Server). The constants of signals, upstreams and states have the
    /// function's visibility. The function may take parameters, which every
    /// expression of the declarations may use. The options are those of
    /// [`ServerOptions`](crate::ServerOptions). One of them, `hand_over`, lets
    /// a newer process of the server replace an older one: no connection is
    /// refused, and no client misses a message.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// struct Settings {
    ///     address: String,
    /// }
    ///
    /// pode_server! {
    ///     pub(crate) server shop(settings: Settings) { send_timeout: 2s };
    ///     endpoint http settings.address;
    ///     route GET "/" => async |_| text("welcome");
    /// }
    /// # let _ = shop(Settings { address: "127.0.0.1:0".into() });
    /// ```
    server

    /// `endpoint http "127.0.0.1:8090";` listens at an address.
    ///
    /// The protocol is [`http`] or [`ws`], or, over TLS, [`https`] or [`wss`],
    /// which need a [`certificate`]. The address is `ADDRESS:PORT` with an IPv4
    /// or bracketed IPv6 literal, `localhost`, or `*` for all IPv4 interfaces;
    /// `[::]` is all of IPv6 and takes no IPv4, so that both can stand side by side.
    /// It may also be a port alone, which means localhost, or any expression
    /// that converts into an [`Address`](crate::Address). Port 0 picks a free
    /// one. `http` and `ws` may share an address, and so may `https` and `wss`.
    /// Options are those of [`EndpointOptions`](crate::EndpointOptions).
    ///
    /// An endpoint at a loopback address answers only requests for `localhost`,
    /// names below it, and loopback addresses, so that no page of a stranger
    /// reads it by a name of its own that leads there (DNS rebinding). Behind a
    /// proxy that passes `Host` on, the option `hosts` names the site:
    /// `endpoint http "127.0.0.1:8090" { hosts: ["shop.example"] };`. At other
    /// addresses every host will do, unless `hosts` says otherwise.
    ///
    /// Behind a proxy all clients come from its address. The option
    /// `trusted_proxies` names the addresses of proxies that say who the client
    /// is: `{ trusted_proxies: ["127.0.0.1", "10.0.0.0/8"] }`, by headers, or with
    /// `proxy_protocol: true` by the PROXY protocol. [Behind a
    /// proxy](crate::guide::behind_a_proxy) has configurations to copy.
    ///
    /// Routes and signals choose an endpoint by the name before its protocol:
    /// `{ endpoint: name }`, or `{ endpoint: [one, other] }`. Without this
    /// option, they serve every endpoint of their kind. At an endpoint, a route
    /// that chose it wins over one that didn't.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// pode_server! {
    ///     server house;
    ///     endpoint http "*:8090";
    ///     endpoint ws   "*:8090";
    ///     endpoint inner http 9000;
    ///     signal NEWS: String = "/news";
    ///     route GET "/" => async |_| text("welcome");
    ///     route GET "/" { endpoint: inner } => async |_| text("hello, neighbour");
    /// }
    /// # let _ = house();
    /// ```
    endpoint

    /// An endpoint that serves routes, views and public files over HTTP/1.1.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// pode_server! {
    ///     server site;
    ///     // One port for pages and their WebSockets.
    ///     endpoint http "127.0.0.1:8090";
    ///     endpoint ws   "127.0.0.1:8090";
    ///     signal NEWS: String = "/news";
    ///     route GET "/" => async |_| text("welcome");
    /// }
    /// # let _ = site();
    /// ```
    http

    /// An endpoint that serves the same as [`http`], over TLS (feature `tls`).
    ///
    /// It needs a [`certificate`]. Clients choose HTTP/2 or HTTP/1.1 by ALPN,
    /// and TLS 1.3 or 1.2. A client that sends plain HTTP gets a 400.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// pode_server! {
    ///     server safe;
    ///     // One port, and one certificate, for pages and their WebSockets.
    ///     endpoint https "*:8443" { certificate: self_signed() };
    ///     endpoint wss   "*:8443";
    ///     signal NEWS: String = "/news";
    ///     route GET "/" => async |_| text("welcome");
    /// }
    /// # let _ = safe();
    /// ```
    https

    /// `{ certificate: pem("chain.pem", "key.pem") }` names the certificate of an
    /// [`https`] or [`wss`] [`endpoint`] (feature `tls`).
    ///
    /// | value | where the certificate and its key come from |
    /// |---|---|
    /// | `pem("chain.pem", "key.pem")` | two PEM files, or twice the same; `.password(password)` decrypts an encrypted key (feature `encrypted-keys`) |
    /// | `pfx("file.pfx", password)` | a PKCS#12 file, of OpenSSL, NSS, Java or older tools (feature `pfx`) |
    /// | `self_signed()` | made at each start, and trusted by no client: for development |
    /// | any [`Certificate`](crate::Certificate) | made by the functions of [`pode::certificate`](crate::certificate) |
    ///
    /// A password is `password_from_env("NAME")` or
    /// `password_from_file("path")`. A literal is allowed, but then the
    /// password is in every copy of the program, and the compiler warns about
    /// it.
    ///
    /// The server reads the files when it starts; they never become part of the
    /// program. It reads a file again when the file is replaced, and all files
    /// on SIGHUP. New connections get the new certificate, and existing
    /// connections stay. If a file can't be used, the log says so, and the
    /// previous certificate stays. The log also warns of a certificate that
    /// expires within 30 days, or that is in the last third of a shorter
    /// validity.
    ///
    /// While developing (in builds with debug assertions, if the file is
    /// there), paths are relative to the crate's `Cargo.toml`; otherwise, to
    /// the working directory. The compiler checks that the files exist and have
    /// the expected form. For files that exist only on the machine where the
    /// server will run, write `pem(…).at_run_time()`, which also allows paths
    /// outside the crate.
    ///
    /// Several certificates stand in brackets. Each client gets the one for the
    /// server name it requests, or the first if none matches.
    ///
    /// Where `https` and `wss` share an address, one of them names the
    /// certificate for both; if both name one, it must be the same.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// pode_server! {
    ///     server safe;
    ///     endpoint https "*:8443" {
    ///         certificate: pem("/etc/pode/pode.pem", "/etc/pode/pode.key").at_run_time(),
    ///     };
    ///     endpoint wss   "*:8443";
    ///     endpoint inner https 9443 { certificate: self_signed() };
    ///     endpoint shops https "*:8444" {
    ///         certificate: [
    ///             pem("/etc/pode/tea.pem", "/etc/pode/tea.key").at_run_time(),
    ///             pem("/etc/pode/ink.pem", "/etc/pode/ink.key").at_run_time(),
    ///         ],
    ///     };
    ///     signal NEWS: String = "/news";
    ///     route GET "/" => async |_| text("welcome");
    /// }
    /// # let _ = safe();
    /// ```
    certificate

    /// `{ client_certificate: required("clients.pem")
    /// }` makes an [`https`] or [`wss`] [`endpoint`] ask its clients for a
    /// certificate (feature `tls`).
    ///
    /// The file is PEM and holds the certificates of one or several authorities
    /// that sign client certificates. With `required`, the handshake of every
    /// other client fails. With `optional`, a client without a certificate is
    /// accepted, and one with a wrong certificate isn't. Handlers of routes and
    /// of `on connect` get the certificate from
    /// [`event.client_certificate()`](crate::WebEvent::client_certificate).
    ///
    /// The file is found and read again like that of a [`certificate`], and
    /// `.at_run_time()` has the same meaning. Where `https` and `wss` share an
    /// address, one of them names the file for both.
    ///
    /// Certificates aren't revoked here: neither lists of revoked ones (CRL) nor
    /// OCSP are asked. Let certificates of clients expire soon, or have handlers
    /// refuse the subjects that are no longer welcome. Whoever removes an
    /// authority from the file ends all that it signed.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// pode_server! {
    ///     server guarded;
    ///     endpoint https "*:8443" {
    ///         certificate: self_signed(),
    ///         client_certificate: required("/etc/pode/clients.pem").at_run_time(),
    ///     };
    ///     route GET "/" => async |event: WebEvent| {
    ///         let subject = event.client_certificate().map(|it| it.subject().to_owned());
    ///         text(format!("hello, {}", subject.unwrap_or_default()))
    ///     };
    /// }
    /// # let _ = guarded();
    /// ```
    client_certificate

    /// An endpoint that serves signals over WebSocket (RFC 6455).
    ///
    /// A plain GET on a signal's path is answered with 426. At the page of [`http`]
    /// is an example of both on one port.
    ws

    /// An endpoint that serves the same as [`ws`], over TLS (feature `tls`).
    ///
    /// It needs a [`certificate`]. At the page of [`https`] is an example of both on
    /// one port.
    wss

    /// `operations { endpoint: inner };` tells at one [`endpoint`], for [`http`] or
    /// [`https`], whether the server works, and whether it may get clients now: for
    /// those who restart processes, and those who spread clients over them.
    ///
    /// | | `GET /_pode/live` | `GET /_pode/ready` |
    /// |---|---|---|
    /// | it starts | no answer yet: the connection is refused, or waits | the same |
    /// | it serves | 200 `live` | 200 `ready` |
    /// | its own sign of life hasn't come back from its [`backplane`] for 15 seconds | 200 `live` | 503 `the backplane can't be reached` |
    /// | it stops, and clients are leaving | 200 `live` | 503 `stopping` |
    /// | a newer process has taken over (`hand_over`) | the newer one answers | the newer one answers |
    /// | the same, on a connection that the older one accepted before | 200 `live` | 503 `another process has taken over` |
    /// | a part of it has failed for good, so it ends | 503 `a part of the server has failed` | the same |
    /// | it has ended | the connection is refused | the same |
    ///
    /// A server whose threads are all blocked doesn't answer, which is an answer, too:
    /// restart it if `live` isn't answered several times in a row. A stop takes no
    /// longer for being asked about: it ends when the last client has gone.
    ///
    /// The endpoint is named, so that none is public by accident, and has all that
    /// others have: routes and public files that chose no endpoint are there, too. But
    /// it alone stays open while the server stops, where anything else gets a 503. So a
    /// process that is to listen at the same address starts when the older one has
    /// ended, or takes over from it.
    ///
    /// The answers are a line of text, never to be stored, also for HEAD; other methods
    /// get a 405. No handler runs for them. Any host will do in the request, such as the
    /// address of a container; for everything else at that endpoint, `hosts` holds.
    /// Where the limits of connections are reached, this endpoint still admits 16 more
    /// at a time. Over TLS, whoever asks needs the client certificate that the endpoint
    /// requires, and with `proxy_protocol` the header. A server that is embedded by
    /// [`into_filter`](crate::Server::into_filter) has no endpoints, and doesn't answer.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// pode_server! {
    ///     server shop { stop_timeout: 30s };
    ///     endpoint http "*:8080";
    ///     endpoint ws   "*:8080";
    ///     // For the machines around it alone.
    ///     endpoint inner http "*:9090";
    ///     operations { endpoint: inner };
    ///     signal NEWS: String = "/news";
    ///     route GET "/" => async |_| text("welcome");
    /// }
    /// # let _ = shop();
    /// ```
    ///
    /// [Behind a proxy](crate::guide::behind_a_proxy#which-process-may-get-clients) has lines
    /// for Kubernetes, HAProxy and nginx.
    operations

    /// `views "folder";` names the folder of templates (feature `views`).
    ///
    /// `folder/users/list.html` is the view `users/list`. Templates are those
    /// of [minijinja](https://docs.rs/minijinja): `{{ name }}` prints a
    /// variable, escaped for HTML, `{{ name | urlencode }}` a part of an address, in
    /// which it keeps `/`, and `{{ name | tojson }}` a value in a script;
    /// `{% include "parts/head.html" %}` includes another file of the folder.
    /// `{{ position("/chat") }}` is how far a [`signal`] that keeps messages has come: `new
    /// WebSocket("/chat?resume={{ position("/chat") }}")` misses nothing that is sent once
    /// the page is made. What a handler shows is older: there, `event.position(CHAT)` is
    /// read before it. (A variable `position` comes before the function.) All files are in
    /// UTF-8; a byte order mark is left out. The compiler reads the templates: what they
    /// link to, request and listen to must exist. A variable without a value is an error,
    /// unless `{{ name | default("") }}` or `{% if name %}` says that it may be missing.
    /// What the compiler can't know ends with a 500 at run time: the log says why, and so
    /// does the page in a build with debug assertions.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// pode_server! {
    ///     server site;
    ///     endpoint http "127.0.0.1:8090";
    ///     views "tests/behavior/views";
    ///     // The template `index.html` in that folder.
    ///     route GET "/" => view "index";
    ///     // `hello.html`, with the variable `name`.
    ///     route GET "/hello/:name" => view "hello";
    /// }
    /// # let _ = site();
    /// ```
    views

    /// `=> view "name"` answers a [`route`] with a template of [`views`]
    /// (feature `views`).
    ///
    /// The path's parameters are its variables. A handler that has other data
    /// returns a struct that derives [`View`](macro@crate::View), whose fields they
    /// are; the struct names the folder, too. In both cases the compiler knows
    /// whether the view is there and gets what it needs. Where only the running
    /// server knows the name or the variables, the reply is
    /// `view(name).with(&map)`.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// pode_server! {
    ///     server hotel;
    ///     endpoint http 8090;
    ///     views "examples/chat_rooms/views";
    ///     route GET "/rooms/:room" => view "room";
    ///     route GET "/lobby"       => lobby;
    /// #   endpoint ws 8090;
    /// #   public "examples/chat_rooms/public";
    /// #   route GET "/rooms/:room/door" (room: String) => async |_, _: String| ();
    /// #   signal ROOM: String = "/rooms/:room" (room: String);
    /// #   signal PEOPLE: String = "/rooms/:room/people" (room: String);
    /// }
    ///
    /// #[derive(Serialize, View)]
    /// #[view("room", folder = "examples/chat_rooms/views")] // without `folder`, in `views`
    /// struct Lobby {
    ///     room: String,
    /// }
    ///
    /// async fn lobby(_: WebEvent) -> Lobby {
    ///     Lobby { room: "the lobby".to_owned() }
    /// }
    /// # let _ = hotel();
    /// ```
    view

    /// `=> redirect "/target"` answers a [`route`] with a redirect to another
    /// address (303).
    ///
    /// In an address of this server, where something must answer GET, the path's
    /// parameters are filled in:
    /// `route GET "/people/:id" => redirect
    /// "/users/:id";`. They stay within the address: a request in which one has
    /// a segment that is empty, `.` or `..` is answered with 404. The query of
    /// a request isn't kept, since it may be meant for the old path alone, such
    /// as a token. In a handler, `redirect("/target")` is the same as a
    /// reply; there `event.query()` is what to keep, if anything:
    /// `redirect(format!("/target?{}", event.query()))`.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// pode_server! {
    ///     server users;
    ///     endpoint http "127.0.0.1:8090";
    ///     route GET  "/people/:id" => redirect "/users/:id";
    ///     route GET  "/users/:id" (id: u64) => async |_, id| text(format!("user {id}"));
    ///     // After a form: the browser gets the page by GET, so that it can be reloaded.
    ///     route POST "/users" => async |_| redirect("/users/1");
    /// }
    /// # let _ = users();
    /// ```
    redirect

    /// `public "folder";` serves the files of a folder as they are.
    ///
    /// They appear at the root, or under a prefix:
    /// `public "/static" "folder";`. Routes and signals take precedence. Hidden
    /// files and the targets of symbolic links are not served; only what is in
    /// `.well-known`, at the top of the folder, is, such as `security.txt`. A
    /// request for a folder gets its `index.html`; without a trailing slash it
    /// is redirected to the path with one, query included. Browsers get a file
    /// again only if it changed, and may ask for a part of it, as of a video.
    /// The compiler reads pages and scripts, as it does [`views`]. Options are those of
    /// [`PublicOptions`](crate::PublicOptions).
    ///
    /// ```
    /// # use pode::prelude::*;
    /// pode_server! {
    ///     server site;
    ///     endpoint http "127.0.0.1:8090";
    ///     // `plain.txt` in that folder is at `/plain.txt`,
    ///     public "tests/behavior/files";
    ///     // and here at `/static/plain.txt`.
    ///     public "/static" "tests/behavior/files" { cache_age: 1h };
    /// }
    /// # let _ = site();
    /// ```
    public

    /// `route GET "/users/:id" (id: u64) => handler;` answers requests.
    ///
    /// It names one or several methods, a path, the handler's arguments, and
    /// the handler: an `async fn` or an `async` closure that takes a
    /// [`WebEvent`](crate::WebEvent) and then the arguments in their order, and
    /// returns a [`Reply`](crate::Reply). Instead of a handler, [`view`] names
    /// a template, and [`redirect`] another address.
    ///
    /// In a path, `:name` matches one segment and `*name`, at the end, all that
    /// is left. If several paths match a request, the more specific one
    /// answers, whatever their order: `/users/me`, then `/users/:id`, then
    /// `/*rest`. GET routes also answer HEAD. A trailing slash in a request is
    /// ignored.
    ///
    /// An argument has either the name of a path parameter, and a type that
    /// implements [`FromStr`](std::str::FromStr), or one of these names, and a
    /// type that serde deserializes:
    ///
    /// | argument | taken from |
    /// |---|---|
    /// | `query` | the query string, after the `?` |
    /// | `form` | a body of type `application/x-www-form-urlencoded` |
    /// | `json` | a body of type `application/json`, or one that ends in `+json` |
    /// | `data` | a body of either of these types |
    /// | `body` | a body of any type, as [`Bytes`](crate::Bytes), `Vec<u8>` or `String` |
    /// | `multipart` | a form with files, part by part: a [`Multipart`](crate::Multipart) (feature `multipart`) |
    ///
    /// A request that an argument can't be made from is answered with 400 and
    /// the reason, a body of another type with 415, and one of more than 1 MiB
    /// (64 MiB in parts) with 413. If a folder of [`views`] holds
    /// `errors/404.html`, or that of another status, browsers get that page
    /// with the variables `status` and `text`.
    ///
    /// In a query or a form every value is a text, which is parsed for a field
    /// that is a number or a `bool`; also in a `#[serde(flatten)]` struct and a
    /// `#[serde(tag = "…")]` enum, with up to a hundred of them. In an
    /// `#[serde(untagged)]` enum it stays a text.
    ///
    /// A handler that has begun runs to its end, although its client leaves; its
    /// connection counts until then. So let none wait for ever.
    ///
    /// Any page on the web could send this server a form with its visitor's
    /// cookies. So requests that change something, all but GET, HEAD and
    /// OPTIONS, are taken from own pages alone, as a [`signal`] is opened, and
    /// from programs other than browsers. Pages of other origins get 403, unless
    /// the route admits them: `{ origins: pages_of(["https://shop.example"]) }`,
    /// or `{ origins: AnyPage }`. Whether such a page may read the answer is for
    /// the browser to decide (CORS): the reply needs a header
    /// `Access-Control-Allow-Origin`, and before any but a plain form a browser
    /// asks by OPTIONS, which a route of its own has to answer. Options are those
    /// of [`RouteOptions`](crate::RouteOptions).
    ///
    /// ```
    /// # use pode::prelude::*;
    /// # use serde_json::json as value;
    /// #[derive(Deserialize)]
    /// struct Page {
    ///     #[serde(default)]
    ///     number: u32,
    /// }
    ///
    /// pode_server! {
    ///     server users;
    ///     endpoint http 8090;
    ///     route GET "/users/:name" (name: String, query: Page) => show;
    ///     route GET "/users/me" => async |_| redirect("/users/ada");
    /// }
    ///
    /// async fn show(_: WebEvent, name: String, query: Page) -> impl Reply {
    ///     json(&value!({ "name": name, "page": query.number }))
    /// }
    /// # let _ = users();
    /// ```
    route

    /// `mount "/api" filter;` puts any warp filter under a prefix.
    ///
    /// The filter, of the [`warp`] that pode is built on, sees the path after
    /// the prefix, and answers its own 404 and 405. A declared [`route`] wins
    /// over it; it wins over [`public`] files. It takes requests from pages of
    /// any origin, and is dropped when its client leaves, as in warp.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// use pode::warp::Filter;
    ///
    /// pode_server! {
    ///     server house;
    ///     endpoint http 8090;
    ///     mount "/math" warp::path!("double" / u32).map(|number: u32| (2 * number).to_string());
    /// }
    /// # use pode::warp;
    /// # let _ = house();
    /// ```
    mount

    /// `state NAME: Type = value;` is a value that handlers share.
    ///
    /// `event.state(NAME)` returns a reference to it, in every handler. What
    /// changes is behind an atomic or a lock: handlers run side by side. The
    /// value is made once, by [`server`]'s function, whose parameters it may use;
    /// each server that the function returns has its own. A handler that panics
    /// while it holds a lock of the standard library poisons it: take it as below, if
    /// the value can be used all the same.
    ///
    /// The declaration makes a constant, of type
    /// [`StateName<Type>`](crate::StateName), with the function's visibility.
    /// Handlers in other modules import it, as they do those of signals, so one
    /// that asks for a state nobody declared doesn't compile.
    ///
    /// ```
    /// use std::sync::{Mutex, MutexGuard, PoisonError};
    ///
    /// use pode::prelude::*;
    ///
    /// pode_server! {
    ///     server guests(first: String);
    ///     endpoint http 8090;
    ///     state NAMES: Mutex<Vec<String>> = Mutex::new(vec![first]);
    ///     route GET  "/names" => list;
    ///     route POST "/names" (body: String) => sign;
    /// }
    ///
    /// async fn list(event: WebEvent) -> impl Reply {
    ///     json(&*names(&event))
    /// }
    ///
    /// async fn sign(event: WebEvent, name: String) {
    ///     names(&event).push(name);
    /// }
    ///
    /// fn names(event: &WebEvent) -> MutexGuard<'_, Vec<String>> {
    ///     event.state(NAMES).lock().unwrap_or_else(PoisonError::into_inner)
    /// }
    /// # let _ = guests("ada".into());
    /// ```
    state

    /// `timer "sample" every 5s => handler;` runs a handler at an interval.
    ///
    /// It starts with the server and ends with it. The handler is an `async fn`
    /// or an `async` closure that takes a [`TimerEvent`](crate::TimerEvent),
    /// and returns nothing or a `Result<(), E>`. An error or a panic is logged,
    /// and the timer continues with the next tick. Options are those of
    /// [`TimerOptions`](crate::TimerOptions).
    ///
    /// Ticks don't drift: they lie on a grid that begins when the server
    /// starts. A tick that is due while the handler still runs is skipped, and
    /// the log says so, at most once a minute. A server that stops lets a
    /// running handler finish, within `stop_timeout`.
    ///
    /// Where a [`backplane`] joins several nodes, a timer fires on each of them; with
    /// `{ on: OneNode }`, each tick fires on one of them, whichever claims it first. That
    /// grid begins in 1970 by the clock of the backplane, so the clocks of the nodes don't
    /// matter. No tick fires twice; one that nobody claims in time doesn't fire, such as
    /// while the backplane can't be reached, or in the second after it was started
    /// anew. If its clock is set back, nothing fires until it shows a later time than
    /// before. While a handler takes longer than the interval, the next tick fires on
    /// another node, beside it: [`fence`](crate::TimerEvent::fence) is a number by which
    /// a database can tell which is older. The backplane has to be one: two that both
    /// think they are it, after a failover, may each have a tick fire. Each node has its own
    /// [`count`](crate::TimerEvent::count), and fires as often as `limit` says. Without a
    /// backplane, `OneNode` is the same as `EveryNode`, the default.
    ///
    /// The name appears in the log, and
    /// [`RunningServer::invoke_timer`](crate::RunningServer::invoke_timer)
    /// takes it. No two timers have the same name; a timer and a schedule may.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// # fn megabytes_in_use() -> u32 { 42 }
    /// pode_server! {
    ///     server memory;
    ///     endpoint ws 8090;
    ///     signal MEMORY: u32 = "/memory";
    ///     timer "sample" every 5s => async |event| event.send(MEMORY, &megabytes_in_use()).await;
    ///     timer "greet" every 1s { limit: 3 } => greet;
    ///     timer "stock" every 1min { on: OneNode } => async |event| println!("{:?}", event.fence());
    /// }
    ///
    /// async fn greet(event: TimerEvent) {
    ///     println!("greeting no. {}", event.count());
    /// }
    /// # let _ = memory();
    /// ```
    timer

    /// `every 5s` is the interval of a [`timer`].
    ///
    /// A whole number with a unit, `ms`, `s`, `min` or `h`, without a space; or
    /// any expression of type [`Duration`](std::time::Duration). If the
    /// expression is zero at run time, the server doesn't start; any other
    /// value is raised to at least `1ms` and limited to ten years. At the page of
    /// [`timer`] is an example.
    every

    /// `schedule "nightly" cron "0 0 * * *" => handler;` runs a handler at
    /// times of the clock (feature `schedule`).
    ///
    /// The times are those of one or several [`cron`] expressions, in the local
    /// time zone. The handler is an `async fn` or an `async` closure that takes
    /// a [`ScheduleEvent`](crate::ScheduleEvent), and returns nothing or a
    /// `Result<(), E>`; an error or a panic is logged. Options are those of
    /// [`ScheduleOptions`](crate::ScheduleOptions). A time that comes while the
    /// handler still runs is skipped, and the log says so. Otherwise, a
    /// schedule works like a [`timer`];
    /// [`RunningServer::invoke_schedule`](crate::RunningServer::invoke_schedule)
    /// runs it by hand.
    ///
    /// Where a [`backplane`] joins several nodes, `{ on: OneNode }` has each time fire on
    /// one of them, as for a [`timer`]. Times are those of the node's clock and zone, so
    /// all nodes need the same zone, and clocks that differ by no more than ten seconds:
    /// one that is ahead waits until the backplane shows the time, too. A time that nobody
    /// claims by the next one doesn't fire.
    ///
    /// Clocks can be wrong, and they change for summer time:
    ///
    /// | event | an expression that names hours | one whose hour is `*` or `*/n` |
    /// |---|---|---|
    /// | clocks go forward to summer time | times in the missing hour fire once, right after it | fires as the clock shows it; missing times are not made up for |
    /// | clocks go back to winter time | a time that comes twice fires the first time | fires both times |
    /// | the clock is set forward | fires once, at once, for all skipped times | the same |
    /// | the clock is set back | by up to three hours: fires only for times that haven't fired yet; by more: follows the new time | follows the new time; a time that fired less than a minute ago doesn't fire again |
    ///
    /// So `30 2 * * *` fires once a day and `* * * * *` every minute, also when
    /// summer time begins or ends. The same holds where a zone's clocks change
    /// by less or more than an hour, skip a day, or change permanently. A clock
    /// that was set is noticed within ten seconds.
    ///
    /// The local time zone is that of the environment's `TZ`: a name such as
    /// `Europe/Berlin`, a file, or a rule such as `CET-1CEST,M3.5.0,M10.5.0/3`.
    /// Without it, it is that of the system, where a change is noticed within
    /// some minutes. If the zone can't be read, schedules use the previous one,
    /// or UTC at the start, and the log says so.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// pode_server! {
    ///     server house;
    ///     schedule "nightly" cron "0 0 * * *" => clean_up;
    ///     schedule "office" cron "0 9-17 * * MON-FRI", "0 10 * * SAT" => async |_| println!("ding");
    /// }
    ///
    /// async fn clean_up(event: ScheduleEvent) -> std::io::Result<()> {
    ///     std::fs::remove_dir_all("cache")
    /// }
    /// # let _ = house();
    /// ```
    schedule

    /// `cron "30 2 * * *"` says when a [`schedule`] fires.
    ///
    /// Five fields, separated by spaces:
    ///
    /// | field | values |
    /// |---|---|
    /// | minute | 0 to 59 |
    /// | hour | 0 to 23 |
    /// | day of the month | 1 to 31 |
    /// | month | 1 to 12, or `JAN` to `DEC` |
    /// | weekday | 0 to 7, or `SUN` to `SAT`; 0 and 7 are Sunday |
    ///
    /// Each is `*` for all of them, a number, a range `2-5`, a step `*/5`,
    /// `10/5` (from the tenth on) or `10-30/5`, or a list of these: `2,10-12`.
    /// All five must match, as in Pode and unlike some other crons:
    /// `0 0 13 * FRI` means Fridays that are the 13th.
    ///
    /// Instead of fields, one of these words:
    ///
    /// | word | meaning |
    /// |---|---|
    /// | `@minutely` | `* * * * *` |
    /// | `@hourly` | `0 * * * *` |
    /// | `@daily` | `0 0 * * *` |
    /// | `@weekly` | `0 0 * * 0` |
    /// | `@monthly` | `0 0 1 * *` |
    /// | `@quarterly` | `0 0 1 1,4,7,10 *` |
    /// | `@yearly`, `@annually` | `0 0 1 1 *` |
    /// | `@twice-hourly` | `0,30 * * * *` |
    /// | `@twice-daily` | `0 0,12 * * *` |
    /// | `@twice-weekly` | `0 0 * * 0,4` |
    /// | `@twice-monthly` | `0 0 1,15 * *` |
    /// | `@twice-yearly`, `@twice-annually` | `0 0 1 1,6 *` |
    ///
    /// At the page of [`schedule`] is an example.
    cron

    /// A method of a [`route`]: deletes the resource at the path.
    DELETE
    /// A method of a [`route`]: requests the resource at the path; also answers
    /// HEAD.
    GET
    /// A method of a [`route`]: requests only the headers of a GET.
    HEAD
    /// A method of a [`route`]: asks for the path's communication options.
    OPTIONS
    /// A method of a [`route`]: changes a part of the resource at the path.
    PATCH
    /// A method of a [`route`]: gives the resource at the path data to process.
    POST
    /// A method of a [`route`]: replaces the resource at the path.
    PUT
    /// A method of a [`route`]: asks for the request back as it arrived.
    TRACE
}
