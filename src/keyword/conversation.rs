//! The words of signals, backplanes and upstreams: messages over WebSocket.

// Targets of the pages' links.
#[cfg(doc)]
use super::*;

keywords! {
    /// `signal CHAT: Message = "/chat";` is a path on which clients listen.
    ///
    /// It declares the constant `CHAT`, a
    /// [`SignalPath<Message>`](crate::SignalPath), and makes one broadcast
    /// channel. `event.send(CHAT, &message).await` sends a `Message`, as one
    /// text frame of JSON, to every client that is connected to the path at a
    /// [`ws`] or [`wss`] endpoint. Options are those of
    /// [`SignalOptions`](crate::SignalOptions). If nothing names the constant, rustc
    /// warns that it is never used: nobody sends to the signal.
    ///
    /// If a signal has one type, clients only listen. A client that sends a
    /// message is closed with code 1003. A slow consumer is closed with code
    /// 1013, so that it disturbs neither senders nor other clients; or it
    /// misses messages, if the signal says so:
    ///
    /// | `on_lag` | what a slow consumer gets |
    /// |---|---|
    /// | `Disconnect` | close code 1013, so it knows that it missed something |
    /// | `Skip` | the messages that fit into its send queue; those that come while the queue is full are left out |
    /// | `Latest` | the newest message next, and none of those that wait |
    ///
    /// ```
    /// # use pode::prelude::*;
    /// pode_server! {
    ///     server prices;
    ///     endpoint ws 8090;
    ///     signal PRICE: f64 = "/price" { on_lag: Latest };
    /// }
    /// # let _ = prices();
    /// ```
    ///
    /// With `history_messages`, a signal keeps its newest messages, so that a client
    /// which was away gets what it missed, and one that is slow isn't cut off before
    /// the log has left it behind: [History and resume](crate::guide::history) tells how.
    ///
    /// | `replay` | what a new client gets first |
    /// |---|---|
    /// | `OnlyNew` | only what is sent from then on; the default |
    /// | `Last` | the newest message; with `latest_by`, that of each key |
    /// | `Messages(20)` | the 20 newest ones |
    /// | `All` | as many as `history_messages` |
    ///
    /// ```
    /// # use pode::prelude::*;
    /// # #[derive(Clone, Serialize)]
    /// # struct Say;
    /// pode_server! {
    ///     server chat;
    ///     endpoint ws 8090;
    ///     signal ROOM: Say = "/rooms/:room" (room: String) {
    ///         history_messages: 50,
    ///         history_age: 1h,
    ///         replay: Messages(20),
    ///     };
    /// }
    /// # let _ = chat();
    /// ```
    ///
    /// Where only the newest message of each thing counts, `latest_by` says what a
    /// message is of: any text, or what can be written as one. Then only the newest of
    /// each key is kept and replayed (`Last` and `All` are of all keys), and a client
    /// that is slow or was away gets no more than that. `event.remove(PRICE, "AAPL")`
    /// takes a key away. Clients that speak `pode.v1` are told of keys and removals, any
    /// others get the messages alone.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// #[derive(Serialize)]
    /// struct Tick {
    ///     symbol: String,
    ///     price: f64,
    /// }
    ///
    /// pode_server! {
    ///     server market;
    ///     endpoint ws 8090;
    ///     signal PRICE: Tick = "/prices" {
    ///         history_messages: 10_000,
    ///         latest_by: |tick| &tick.symbol,
    ///         replay: All,
    ///     };
    /// }
    /// # let _ = (market(), PRICE);
    /// ```
    ///
    /// With `presence`, clients that speak `pode.v1` are told who is at their path: who is
    /// there when they come, and then who comes and who goes, in the order of the messages.
    /// `on connect` says what is told of a client, as JSON of at most 1,024 bytes; a client
    /// for which it doesn't isn't listed. `event.client().present(&…)` changes it later.
    /// [Who is there](crate::guide::presence) has a whole server with its page.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// #[derive(Serialize, Deserialize)]
    /// struct Person {
    ///     name: String,
    /// }
    ///
    /// pode_server! {
    ///     server house;
    ///     endpoint ws 8090;
    ///     signal ROOM: String = "/rooms/:room" (room: u16) { presence: 200 };
    ///     on connect ROOM => enter;
    /// }
    ///
    /// async fn enter(event: ConnectEvent<String>, _room: u16) -> Result<(), EventError> {
    ///     let person: Person = event.read_query()?;
    ///     event.present(&person)
    /// }
    ///
    /// fn who_is_there(signals: &Signals, room: u16) -> Result<Vec<Person>, SendError> {
    ///     let present = signals.clients(ROOM.at(&room)).present()?;
    ///     Ok(present.into_iter().map(|(_id, person)| person).collect())
    /// }
    /// # let _ = (house(), who_is_there);
    /// ```
    ///
    /// | option | |
    /// |---|---|
    /// | `presence` | of how many at a path each is told; of more, only how many they are, at most once a second. 0, the default, means that nobody is told |
    /// | `presence_grace` | for how long a client that was cut off is present; `15s` by default. Who comes back by its ticket of `pode.v1`, or under an id that `on connect` sets, has never left. Who closes its connection by itself (1000, or without a code), who is closed for good, and who can't come back leaves at once |
    ///
    /// Nobody leaves by a [`hand_over`](server), and with a [`backplane`], all nodes know who
    /// is present. Who is present takes no room in the history;
    /// but messages have numbers. Others are told the ids of clients: where a route trusts an
    /// id, let the server sign ids (`client_ids`).
    ///
    /// The server pings every client each 25 seconds, unless the signal sets
    /// another interval (`heartbeat: 10s`). Browsers answer by themselves. A
    /// client that shows no sign of life until the next ping is disconnected.
    ///
    /// Where messages are JSON, a signal is an event stream, too: a `GET` of its path that
    /// accepts `text/event-stream`, as `new EventSource("/chat")` sends it, is a client that
    /// listens. With `{ event_streams: Off }`, it isn't. [Pages](crate::guide::pages) has
    /// more of that.
    ///
    /// Any page on the web could open a WebSocket to this server with its
    /// visitor's cookies. So only own pages may connect: pages of the host name
    /// that the client connects to, at the same port or at one of this server's
    /// endpoints; over TLS only `https` pages. All loopback names are one host.
    /// Other pages get a 403, unless the signal admits them:
    ///
    /// | `origins` | whose pages may connect |
    /// |---|---|
    /// | `OwnPages` | own pages only; the default |
    /// | `pages_of(["https://shop.example"])` | own pages, and those of these origins |
    /// | `AnyPage` | any page |
    ///
    /// Behind a proxy that changes the `Host` header, own pages must be listed
    /// like others. Clients that are not browsers send no `Origin`, and may
    /// always connect.
    ///
    /// # What clients send
    ///
    /// With two types, clients send the first and receive the second. The
    /// handler is an `async fn` or an `async` closure that takes a
    /// [`SignalEvent`](crate::SignalEvent) of the type that the signal sends,
    /// and the message. [`rebroadcast`] replaces it where clients send to each
    /// other without a handler. A message is parsed from JSON; a
    /// [`RawMessage`](crate::RawMessage), on either side, travels unchanged. If
    /// the handler returns an [`EventError`](crate::EventError), the client
    /// gets it as `{"error":"…","status":409}`. Any other error is logged, and the
    /// client gets an error of status 500 which says that its message could not be
    /// handled.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// #[derive(Deserialize)]
    /// struct Post {
    ///     text: String,
    /// }
    ///
    /// #[derive(Serialize)]
    /// struct Message {
    ///     length: usize,
    ///     text: String,
    /// }
    ///
    /// pode_server! {
    ///     server chat;
    ///     endpoint ws 8090;
    ///     signal CHAT: Post -> Message = "/chat" => say;
    /// }
    ///
    /// async fn say(event: SignalEvent<Message>, post: Post) -> Result<(), SendError> {
    ///     let message = Message { length: post.text.len(), text: post.text };
    ///     event.send(CHAT, &message).await
    /// }
    /// # let _ = chat();
    /// ```
    ///
    /// A client of [`pode.v1`](crate::SignalEvent::message_number) may number its
    /// messages. Each of these is handled once, in order, however often its connection
    /// is cut, and the client is told when the handler has returned. Only after the
    /// server was started anew, the node of a [`backplane`] died that had them, or the
    /// client was away for longer than 2 minutes (or `history_age`, if that is longer), may
    /// one come that was handled before, and then
    /// [`event.may_be_repeated()`](crate::SignalEvent::may_be_repeated) says so.
    ///
    /// # Levels
    ///
    /// A signal's widest audience is a part of its constant's type, so a `send`
    /// that goes further doesn't compile:
    ///
    /// | `level` | possible recipients |
    /// |---|---|
    /// | `Name` | everyone on the path, a group, or one client; the default |
    /// | `Group` | a group, or one client: `event.send(CHAT, &message).to_group("red").await` |
    /// | `Client` | one client: `event.send(CHAT, &message).to_client(&id).await` |
    ///
    /// # Families
    ///
    /// A path with parameters declares a family: one path for each set of
    /// values, with its own clients and groups. The constant is a
    /// [`SignalFamily`](crate::SignalFamily), and `ROOM.at(&room)` is one path
    /// of it. Up to four parameters are allowed. [`FromStr`](std::str::FromStr)
    /// parses their types, and [`Display`](std::fmt::Display) writes them. A
    /// client whose path has a value that can't be parsed gets a 400. Each
    /// parameter has its argument, in the order of the path, and handlers take
    /// the arguments in this order, between event and message. A path exists
    /// while it has clients.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// pode_server! {
    ///     server house;
    ///     endpoint ws 8090;
    ///     signal ROOM: String -> String = "/rooms/:room" (room: u16) => talk;
    ///     signal SEAT: bool = "/halls/:hall/seats/:seat" (hall: String, seat: u8) { level: Client };
    /// }
    ///
    /// async fn talk(event: SignalEvent<String>, room: u16, message: String) -> Result<(), SendError> {
    ///     event.send(ROOM.at(&room), &message).await
    /// }
    /// # let _ = house();
    /// ```
    ///
    /// If two signals match a path, the more specific one serves it:
    /// `/rooms/lobby` before `/rooms/:room`.
    signal

    /// `=> rebroadcast` lets the clients of a [`signal`] send to each other.
    ///
    /// A client's message goes to others without a handler. It must have the
    /// type that the signal sends, so one type stands on both sides of the
    /// arrow. An option sets the allowed recipients:
    ///
    /// | `rebroadcast` | allowed recipients of clients' messages |
    /// |---|---|
    /// | `Anyone` | everyone, any group, any client; and the clients of another signal with `Anyone`, by its `"path"` |
    /// | `OwnGroups` | the groups that the client is in, which handlers decide; and itself |
    ///
    /// A client sends JSON: `{"message": …}`, and `"group": "red"`,
    /// `"clientId": "…"` or `"direct": true` (back to itself) if it isn't for
    /// everyone. Recipients get the message alone.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// pode_server! {
    ///     server wall;
    ///     endpoint ws 8090;
    ///     signal WALL: String -> String = "/wall" { rebroadcast: Anyone } => rebroadcast;
    /// }
    /// # let _ = wall();
    /// ```
    rebroadcast

    /// `on connect CHAT => handler;` runs a handler when a client of a
    /// [`signal`] connects; `on disconnect`, when it has disconnected.
    ///
    /// A signal has at most one of each, declared in the same block as the
    /// signal. The handler of [`connect`] takes a
    /// [`ConnectEvent`](crate::ConnectEvent) of the type that the signal sends,
    /// that of [`disconnect`] a [`DisconnectEvent`](crate::DisconnectEvent);
    /// both then take the values of the path's parameters, if it is a family.
    /// If a `#[cfg]` removes the signal, it removes this declaration, too.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// pode_server! {
    ///     server house;
    ///     endpoint ws 8090;
    ///     signal ROOM: String = "/rooms/:room" (room: u16);
    ///     on connect ROOM => enter;
    ///     on disconnect ROOM => leave;
    /// }
    ///
    /// async fn enter(event: ConnectEvent<String>, room: u16) -> Result<(), EventError> {
    ///     if room > 500 {
    ///         return Err(EventError::new(404, "there is no such room"));
    ///     }
    ///     event.greet(&format!("welcome to room {room}"))
    /// }
    ///
    /// async fn leave(event: DisconnectEvent, room: u16) -> Result<(), SendError> {
    ///     event.send(ROOM.at(&room), &"somebody left".to_owned()).await
    /// }
    /// # let _ = house();
    /// ```
    ///
    /// A client that comes back, by a ticket of `pode.v1` or with an id that its handler
    /// sets, may do so before its older connection has ended. Then `on connect` runs
    /// first, and then the `on disconnect` of the older connection, with the same id: who
    /// is put into a list by id in the one and removed in the other would be missing
    /// there. So count the connections of each id; or, where the list is of who is there,
    /// let [`presence`](crate::guide::presence) keep it.
    on

    /// `on connect CHAT => handler;`: a client asks to connect. See [`on`].
    ///
    /// The handler inspects the request. It may give the client an id, put it
    /// into groups, keep a value with it and greet it. An error refuses the
    /// client: an [`EventError`](crate::EventError) with its status, any other
    /// with 500. Messages that are sent after the handler is done reach the
    /// client.
    connect

    /// `on disconnect CHAT => handler;`: a client has disconnected. See [`on`].
    ///
    /// It runs once for each client that was accepted, after all the client's
    /// messages were handled. An error is logged.
    ///
    /// `event.reason()` is a [`DisconnectReason`](crate::DisconnectReason):
    ///
    /// | reason | the client |
    /// |---|---|
    /// | `ByClient { code }` | sent a close frame, maybe with a code |
    /// | `ByServer { code }` | was closed by a handler, for its `idle_timeout` (1000), for another client with its id (1008; by `pode.v1` 4001, or 4409 for its own next connection) or after a failure (1011) |
    /// | `Error { code }` | broke a rule or a limit: 1002, 1003, 1007, 1008, 1009, and by `pode.v1` 4408 or 4429 |
    /// | `Lagged` | read too slowly (1013) |
    /// | `TimedOut` | answered no heartbeat, and its connection was reset |
    /// | `Stopped` | was there when the server stopped (1001) or handed over (1012) |
    /// | `Lost` | was cut off without a close frame |
    ///
    /// More may come, so a `match` ends with `_ => …`.
    disconnect

    /// `backplane redis settings.redis_url;` joins the machines that run one server.
    ///
    /// Each machine, a node, runs the same program; a load balancer in front sends
    /// clients to any of them. What is sent on one node reaches the clients of all:
    /// messages to everyone on a path, to a group, to one client or to all but one. Who
    /// is closed, or joins or leaves a group, is so wherever it is connected.
    /// [`redis`] carries them, so it needs the Cargo feature `redis`, and the server at
    /// least one [`signal`]. A server has one backplane. Options are those of
    /// `BackplaneOptions`:
    ///
    /// | option | meaning | default |
    /// |---|---|---|
    /// | `kept_messages` | how many messages of each signal are kept for nodes that were away: 1,000 to 10,000,000, and no fewer than a signal's `history_messages`; the last one of each key (`latest_by`), or of each path (`replay: Last`), is kept besides | 65,536 |
    /// | `start` | what becomes of a start without the backplane: after ten seconds it fails (`Fail`), or the server serves and isn't ready (`Anyway`) | `Fail` |
    /// | `name` | the name by which nodes find each other: 1 to 64 letters of a to z, digits, `-`, `_` and `.` | the server's |
    /// | `roots` | at a URL with TLS, the trusted authorities: those of the system (`SystemRoots`), these and others (`system_roots_and("authority.pem")`), or others alone (`roots_of("authority.pem")`). The file is PEM, and read when the server starts | `SystemRoots` |
    ///
    /// Servers of one name at one Redis share their messages. So where one Redis serves
    /// several installations, such as a test and the real one, give each a name of its
    /// own.
    ///
    /// The backplane gives each message its number, and no node delivers a message
    /// before: all clients get the messages of a path in one order, on whatever node,
    /// and a position is good on every node. Numbers are large and have gaps.
    /// `event.send(…).await` returns when the backplane has answered; `try_send` returns
    /// `Ok` when the message is in the outbox of its node.
    ///
    /// While the backplane can't be reached, clients stay connected, and routes and
    /// pages go on; after 15 s the node isn't ready ([`operations`]). It tries again for
    /// ever. Sends wait, at most for the server's `send_timeout`, and then fail: with
    /// [`SendError::Backplane`](crate::SendError::Backplane) nothing was sent, with
    /// [`SendError::Unknown`](crate::SendError::Unknown) it may have been, or may still
    /// be. What was sent and what comes meanwhile is delivered when it is back, once and
    /// in order, however its connections were cut.
    ///
    /// A Redis that is started anew without its last messages, or that loses all, goes on
    /// with positions of another epoch. If any node has had such a message, clients of
    /// `pode.v1` are told that messages are missing (a `gap`), and plain ones are closed
    /// (1013). So they are where a node was cut off for longer than messages are kept.
    ///
    /// A client of `pode.v1` comes back to any node by its ticket, as the same. What it
    /// sends with numbers is handled once, as the nodes ask each other for it. Only if the
    /// node that has it died, or can't be asked, what may be handled twice is marked
    /// (`event.may_be_repeated()`).
    ///
    /// [Scaling](crate::guide::scaling) tells what senders and clients see when Redis is slow,
    /// away or full, or has lost messages, and how it is set.
    ///
    /// What isn't a message stays on its node: [`state`], the connections of [`upstream`]s,
    /// who is connected (`event.clients(…).list()`, `contains`, `list_group`), and [`timer`]s and [`schedule`]s, which
    /// run on each, or with `{ on: OneNode }` on one at a time. With `presence`, who is
    /// present is known on all nodes (`event.clients(…).present()`).
    ///
    /// ```
    /// # use pode::prelude::*;
    /// struct Settings {
    ///     redis_url: String,
    ///     installation: String,
    /// }
    ///
    /// #[derive(Deserialize)]
    /// struct Order {
    ///     article: String,
    /// }
    ///
    /// pode_server! {
    ///     server shop(settings: Settings) { send_timeout: 2s };
    ///     endpoint http "*:8090";
    ///     endpoint ws   "*:8090";
    ///     backplane redis settings.redis_url {
    ///         kept_messages: 100_000,
    ///         start: Anyway,
    ///         name: settings.installation,
    ///     };
    ///     signal SOLD: String = "/sold" { history_messages: 100 };
    ///     route POST "/orders" (form: Order) => order;
    /// }
    ///
    /// async fn order(event: WebEvent, form: Order) -> Result<(), SendError> {
    ///     // Whoever listens hears of it, on whatever machine.
    ///     event.send(SOLD, &form.article).await
    /// }
    /// # let settings = Settings { redis_url: "redis://localhost".into(), installation: "test".into() };
    /// # let _ = shop(settings);
    /// ```
    backplane

    /// `backplane redis "redis://localhost:6379";` has a Redis or a Valkey carry the
    /// messages of a [`backplane`].
    ///
    /// The URL is any expression that is a `String` or a `&str`. A literal one is
    /// checked while compiling, any other when the server starts:
    ///
    /// | URL | the Redis |
    /// |---|---|
    /// | `redis://localhost:6379`, `valkey://…` | at a port, which is 6379 unless it is named |
    /// | `rediss://redis.example:6380`, `valkeys://…` | the same over TLS (feature `tls`) |
    /// | `redis://shop:secret@redis.example` | with a user and a password; `:secret@` is a password alone |
    /// | `redis://localhost/2` | the database of that number; 0 unless it is named |
    /// | `redis+sentinel://one.example,two.example:26380/mymaster/2`, `valkey+sentinel://…` | the primary that Sentinels know as `mymaster`. Their port is 26379 unless it is named. A user and a password before the hosts are those of Redis; `?sentinel_password=secret` behind it is that of the Sentinels (`sentinel_username` before it, if they have users) |
    /// | `rediss+sentinel://…`, `valkeys+sentinel://…` | the same over TLS, to Sentinels and Redis |
    /// | `unix:///run/redis.sock`, `redis+unix://…`, `valkey+unix://…` | at a Unix socket; `?db=2&user=shop&pass=secret` behind it is what the others have elsewhere |
    ///
    /// In a user or a password, characters such as `/`, `?`, `#` and `@` are
    /// percent-encoded: `%2F`, `%3F`, `%23`, `%40`. Take a URL with a password from
    /// your settings, since a literal is in every copy of the program. Neither errors
    /// nor the log show users and passwords. At the page of [`backplane`] is an example.
    ///
    /// Sentinels are asked whenever a node connects, one after the other, so name all of
    /// them. What they name is used unless it says that it is a replica.
    redis

    /// `upstream PRICES: Tick = "wss://feed.example/prices" => on_tick;`
    /// listens to a WebSocket of another server (feature `upstream`; by `wss`,
    /// also `tls`).
    ///
    /// It is Pode's `Connect-PodeWebSocket`. The handler is an `async fn` or an
    /// `async` closure that takes an [`UpstreamEvent`](crate::UpstreamEvent)
    /// and a message, which serde parses from JSON, and returns nothing or a
    /// `Result<(), E>`. An error, a panic or a message that can't be parsed is
    /// logged, and the next message comes. The URL is a literal, which the
    /// compiler checks, or any expression that is `Into<String>`. Options are
    /// those of [`UpstreamOptions`](crate::UpstreamOptions).
    ///
    /// With a second type, the server also sends to the upstream:
    /// `Tick -> Subscribe` receives the first and sends the second. The
    /// declaration makes the constant `PRICES`, an
    /// [`UpstreamName<Subscribe, Tick>`](crate::UpstreamName), by which every
    /// event and the running server reach it:
    /// `event.upstream(PRICES).send(&subscribe).await`. The upstream's own
    /// handler answers by `event.reply(&subscribe).await`, and takes an
    /// `UpstreamEvent<Subscribe>`.
    ///
    /// The option `on_connect` is a handler for messages that the other server
    /// needs on each connection. It runs before the first message is read, and
    /// again after each reconnect. If it fails, the connection is closed and
    /// tried again.
    ///
    /// ```
    /// # use pode::prelude::*;
    /// #[derive(Deserialize, Serialize)]
    /// struct Tick {
    ///     symbol: String,
    ///     price: f64,
    /// }
    ///
    /// #[derive(Serialize)]
    /// struct Subscribe {
    ///     symbols: Vec<String>,
    /// }
    ///
    /// pode_server! {
    ///     server board;
    ///     endpoint ws 8090;
    ///     signal PRICES: Tick = "/prices" { on_lag: Latest };
    ///     upstream FEED: Tick -> Subscribe = "wss://feed.example/prices" {
    ///         heartbeat: 10s,
    ///         on_connect: async |event| event.reply(&Subscribe { symbols: vec!["ACME".into()] }).await,
    ///     } => on_tick;
    /// }
    ///
    /// async fn on_tick(event: UpstreamEvent<Subscribe>, tick: Tick) -> Result<(), SendError> {
    ///     event.send(PRICES, &tick).await
    /// }
    /// # let _ = board();
    /// ```
    ///
    /// Messages are handled in their order, one at a time, and nothing is read
    /// meanwhile: a slow handler slows the other server down, or makes it
    /// disconnect. A handler that waits for something may pass the work to a
    /// task of its own, with a clone of the event.
    ///
    /// A connection that ends or fails is tried again without limit, after a
    /// random delay: up to one second at first (`reconnect_delay`), then up to
    /// twice as much each time, up to half a minute (`max_reconnect_delay`).
    /// The server pings the other one each 25 seconds (`heartbeat`), and
    /// disconnects if it receives nothing within twice that time. A send while
    /// disconnected is an error; its message is not kept. A server that stops
    /// lets a running handler finish, and closes the connection with code 1001.
    ///
    /// At a `wss` URL, an authority that the operating system trusts must have
    /// signed the certificate, unless the upstream says otherwise:
    ///
    /// | `roots` | trusted authorities |
    /// |---|---|
    /// | `SystemRoots` | those of the system; the default |
    /// | `system_roots_and("root.pem")` | those of the system, and those in this file |
    /// | `roots_of("root.pem")` | those in this file alone |
    upstream
}
