//! The words of [`pode_server!`](crate::pode_server), one item each.
//!
//! These are read, not used: an editor shows a word's page where the word
//! stands. An invocation is a head and declarations, each ended by `;`.
//! Declarations may stand in any order, and may bear doc comments and
//! `#[cfg(…)]`.
//!
//! | declaration | what it declares |
//! |---|---|
//! | [`server`] | the head: a function that builds the server |
//! | [`endpoint`] | an address, and whether [`http`], [`https`], [`ws`] or [`wss`] is spoken there |
//! | [`views`] | the folder of templates |
//! | [`public`] | a folder of static files |
//! | [`route`] | what answers requests of a method and a path |
//! | [`mount`] | any warp filter, under a prefix |
//! | [`signal`] | a path on which clients listen, and may speak |
//! | [`on`] | what is done when a client comes or goes |
//! | [`state`] | a value that handlers share |
//! | [`timer`] | what is done at an interval |
//! | [`schedule`] | what is done at times of the day and the year |
//! | [`upstream`] | a WebSocket of another server that is listened to |
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
    /// [`Server`](crate::Server). The constants of the signals have its
    /// visibility. It may take parameters, which every expression of the
    /// declarations may use, and the options of
    /// [`ServerOptions`](crate::ServerOptions). One of them, `hand_over`, has a
    /// newer process of the server take the place of an older one without
    /// anybody being refused or missing a message.
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
    /// The protocol is [`http`] or [`ws`], or behind TLS [`https`] or [`wss`],
    /// which need a [`certificate`]. The address is `ADDRESS:PORT` with
    /// an IPv4 or bracketed IPv6 literal, `localhost`, or `*` for all IPv4
    /// interfaces; or a port of localhost alone; or any expression that an
    /// [`Address`](crate::Address) can be made from. Port 0 picks a free one.
    /// `http` and `ws` may share an address, and so may `https` and `wss`.
    /// Options are those of [`EndpointOptions`](crate::EndpointOptions).
    ///
    /// A name before the protocol lets routes and signals choose it by
    /// `{ endpoint: name }`, or `{ endpoint: [one, other] }`. Without, they
    /// serve every endpoint of their kind; at an endpoint, a route that chose
    /// it wins over one that didn't.
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

    /// An endpoint that serves routes, views and public files by HTTP/1.1.
    http

    /// An endpoint that serves what [`http`] does, behind TLS.
    ///
    /// It needs a [`certificate`]. Clients choose HTTP/2 or HTTP/1.1 by ALPN,
    /// and TLS 1.3 or 1.2. One that speaks plain HTTP is told by a 400.
    https

    /// `{ certificate: pfx("file.pfx", password_from_env("NAME")) }` names the
    /// certificate of an [`https`] or [`wss`] [`endpoint`].
    ///
    /// | value | where the certificate and its key come from |
    /// |---|---|
    /// | `pfx("file.pfx", password)` | a PKCS#12 file, of OpenSSL 3 or older tools |
    /// | `pem("chain.pem", "key.pem")` | two PEM files, or twice the same; `.password(password)` opens an encrypted key |
    /// | `self_signed()` | made at each start, and trusted by nobody: for development |
    /// | any [`Certificate`](crate::Certificate) | made by the functions of [`pode::certificate`](crate::certificate) |
    ///
    /// A password is `password_from_env("NAME")` or
    /// `password_from_file("path")`. One may be written out, but then it is in
    /// every copy of the program, and the compiler warns of it.
    ///
    /// Files are read when the server starts, and never become part of the
    /// program. A file that is replaced later is read again, and all are on
    /// SIGHUP: new clients are shown the new certificate, and nobody's
    /// connection ends. What can't be used is told by the log, and the
    /// certificate before stays. The log also tells of one that expires within
    /// 30 days, or within the last third of a shorter life.
    ///
    /// Paths are relative to the crate's `Cargo.toml` while
    /// developing (in builds with debug assertions, if the file is there), and
    /// to the working directory otherwise. The compiler looks whether they are
    /// there and what they seem to be; for files that only the machine has
    /// where the server will run, write `pfx(…).at_run_time()`, which also
    /// allows paths out of the crate.
    ///
    /// Several stand in brackets: each client is shown the one that is for the
    /// name it asks for, and the first if none is.
    ///
    /// Where `https` and `wss` share an address, one of them names the
    /// certificate, and it serves both; if both name it, they name the same.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// pode_server! {
    ///     server safe;
    ///     endpoint https "*:8443" {
    ///         certificate: pfx("/etc/pode/pode.pfx", password_from_env("PODE_PASSWORD")).at_run_time(),
    ///     };
    ///     endpoint wss   "*:8443";
    ///     endpoint inner https 9443 { certificate: self_signed() };
    ///     endpoint shops https "*:8444" {
    ///         certificate: [
    ///             pem("/etc/pode/tea.pem", "/etc/pode/tea.key").at_run_time(),
    ///             pem("/etc/pode/ink.pem", "/etc/pode/ink.key")
    ///                 .password(password_from_env("INK_PASSWORD"))
    ///                 .at_run_time(),
    ///         ],
    ///     };
    ///     signal NEWS: String = "/news";
    ///     route GET "/" => async |_| text("welcome");
    /// }
    /// # let _ = safe();
    /// ```
    certificate

    /// `{ client_certificate: required("clients.pem") }` has an [`https`] or
    /// [`wss`] [`endpoint`] ask clients who they are, by a certificate of
    /// theirs.
    ///
    /// The file is PEM and holds the authorities, one or several, that sign
    /// such certificates. With `required`, the handshake fails for everyone
    /// else. With `optional`, who shows none is let in, and who shows a wrong
    /// one isn't. Handlers see it by
    /// [`event.client_certificate()`](crate::WebEvent::client_certificate),
    /// those of routes and those of `on connect`.
    ///
    /// The file is found and read again as that of a [`certificate`] is, and
    /// `.at_run_time()` says the same of it. Where `https` and `wss` share an
    /// address, one of them names it for both.
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

    /// An endpoint that serves signals by WebSocket (RFC 6455).
    ///
    /// A plain GET on a signal's path is answered with 426.
    ws

    /// An endpoint that serves what [`ws`] does, behind TLS.
    ///
    /// It needs a [`certificate`].
    wss

    /// `views "folder";` names the folder of templates.
    ///
    /// `folder/users/list.html` is the view `users/list`. Templates are those
    /// of [minijinja](https://docs.rs/minijinja): `{{ name }}` prints a
    /// variable, escaped for HTML; `{% include "parts/head.html" %}` includes
    /// another file of the folder. They are read while compiling: what they
    /// link to, ask for and listen to must be there. A variable that nobody gave is an error,
    /// which the log tells and the client sees as a 500.
    views

    /// `=> view "name"` answers a [`route`] with a template of [`views`].
    ///
    /// The path's parameters are its variables. In a handler, `view("name")`
    /// is the same as a reply, and takes data:
    /// `view("name").with(&data)`.
    view

    /// `=> redirect "/target"` answers a [`route`] with another address (303).
    ///
    /// In an address of this server, the parameters of the path are filled in:
    /// `route GET "/people/:id" => redirect "/users/:id";`. In a handler,
    /// `redirect("/target")` is the same as a reply.
    redirect

    /// `public "folder";` serves the files of a folder as they are.
    ///
    /// They appear at the root, or under a prefix:
    /// `public "/static" "folder";`. Routes and signals come first. Hidden
    /// files and what symbolic links lead to are not served. A folder is
    /// answered by its `index.html`. Pages and scripts are read while compiling,
    /// as [`views`] are. Options are those of
    /// [`PublicOptions`](crate::PublicOptions).
    public

    /// `route GET "/users/:id" (id: u64) => handler;` answers requests.
    ///
    /// One or several methods, a path, what the handler takes, and the handler:
    /// an `async fn` or an `async` closure that takes a
    /// [`WebEvent`](crate::WebEvent) and then the arguments in their order,
    /// and returns a [`Reply`](crate::Reply). Instead of a handler,
    /// [`view`] names a template, and [`redirect`] another address.
    ///
    /// In a path, `:name` takes one segment and `*name`, at the end, all that
    /// is left. Of several paths that take a request, the more specific one
    /// answers, whatever their order: `/users/me`, then `/users/:id`, then
    /// `/*rest`. GET routes answer HEAD, too. A last slash of a request is
    /// ignored.
    ///
    /// An argument bears the name of a path parameter, whose type is made by
    /// [`FromStr`](std::str::FromStr), or one of these names, whose type is
    /// made by serde:
    ///
    /// | argument | taken from |
    /// |---|---|
    /// | `query` | what stands behind the `?` |
    /// | `form` | a body of type `application/x-www-form-urlencoded` |
    /// | `json` | a body of type `application/json`, or one that ends in `+json` |
    /// | `data` | a body of either of these types |
    /// | `body` | a body of any type, as [`Bytes`](crate::Bytes), `Vec<u8>` or `String` |
    /// | `multipart` | a form with files, part by part: a [`Multipart`](crate::Multipart) |
    ///
    /// A request that an argument can't be made of is answered with 400 and
    /// what is wrong, a body of another type with 415, one of more than 1 MiB
    /// (64 MiB in parts) with 413. Where a folder of [`views`] holds
    /// `errors/404.html`, or that of another status, browsers get that page
    /// with the variables `status` and `text`.
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
    /// The filter, of the [`warp`] that pode is built on, sees the
    /// path behind the prefix, and answers its own 404 and 405. A declared
    /// [`route`] wins over it; it wins over [`public`] files.
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

    /// `state Type = value;` is a value that handlers share.
    ///
    /// `event.state::<Type>()?` gives it to a handler. One of each type.
    state

    /// `timer "sample" every 5s => handler;` does something again and again.
    ///
    /// It starts with the server and ends with it. The handler is an `async fn`
    /// or an `async` closure that takes a [`TimerEvent`](crate::TimerEvent),
    /// and returns nothing or a `Result<(), E>`. An error or a panic goes to
    /// the log, and the next tick comes. Options are those of
    /// [`TimerOptions`](crate::TimerOptions).
    ///
    /// Ticks don't drift: they lie on a grid that begins when the server
    /// starts. One whose time comes while the handler still runs is skipped,
    /// and the log says so, at most once a minute. A server that stops lets a running handler finish,
    /// within `stop_timeout`.
    ///
    /// The name stands in the log, and is what
    /// [`RunningServer::invoke_timer`](crate::RunningServer::invoke_timer)
    /// takes. No two timers share one; a timer and a schedule may.
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
    /// any expression of type [`Duration`](std::time::Duration). One that is
    /// zero at run time keeps the server from starting; otherwise it is at least
    /// `1ms`, and at most ten years.
    every

    /// `schedule "nightly" cron "0 0 * * *" => handler;` does something when
    /// the clock says so.
    ///
    /// The times are those of one or several [`cron`] expressions, in the local
    /// time zone. The handler is an `async fn` or an `async` closure that takes
    /// a [`ScheduleEvent`](crate::ScheduleEvent), and returns nothing or a
    /// `Result<(), E>`; an error or a panic goes to the log. Options are those
    /// of [`ScheduleOptions`](crate::ScheduleOptions). A time that comes while
    /// the handler still runs is skipped, and the log says so. For the rest, it
    /// is as a [`timer`]; by hand it is invoked by
    /// [`RunningServer::invoke_schedule`](crate::RunningServer::invoke_schedule).
    ///
    /// Clocks are not always right, and twice a year they jump on purpose:
    ///
    /// | what happens | an expression that names hours | one whose hour is `*` or `*/n` |
    /// |---|---|---|
    /// | clocks go forward to summer time | what lies in the missing hour comes once, right after it | comes as the clock shows it; what is missing is not made up for |
    /// | clocks go back to winter time | what comes twice fires the first time | fires both times |
    /// | the clock is set forward | fires once, at once, for all that was leapt over | the same |
    /// | the clock is set back | by up to three hours: fires only for what it hasn't fired for yet; by more: goes by the new time | goes by the new time; what fired less than a minute ago doesn't fire again |
    ///
    /// So `30 2 * * *` comes once a day and `* * * * *` every minute, also when
    /// summer time begins or ends. The same holds where a zone's clocks jump by
    /// less or more than an hour, leave out a day, or are changed for good. A
    /// clock that was set is noticed within ten seconds.
    ///
    /// The local time zone is that of the environment's `TZ`: a name such as
    /// `Europe/Berlin`, a file, or a rule such as `CET-1CEST,M3.5.0,M10.5.0/3`;
    /// or else that of the system, where a change is noticed within some
    /// minutes. If it can't be read, schedules go by what it was before, or by
    /// UTC at the start, and the log says so.
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
    /// Five fields, with space between them:
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
    cron

    /// A method of a [`route`]: removes what is at the path.
    DELETE
    /// A method of a [`route`]: asks for what is at the path; answers HEAD, too.
    GET
    /// A method of a [`route`]: asks for the headers of a GET alone.
    HEAD
    /// A method of a [`route`]: asks what can be done with the path.
    OPTIONS
    /// A method of a [`route`]: changes a part of what is at the path.
    PATCH
    /// A method of a [`route`]: gives the path something to work on.
    POST
    /// A method of a [`route`]: puts something in the place of what is at the path.
    PUT
    /// A method of a [`route`]: asks for the request as it arrived.
    TRACE
}
