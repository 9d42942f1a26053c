//! The words of signals and upstreams: who talks to whom by WebSocket.

// For what the pages link to.
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
    /// [`SignalOptions`](crate::SignalOptions).
    ///
    /// Where a signal has one type, clients only listen: one that sends something
    /// is told by close code 1003. One that reads too slowly is cut off by 1013,
    /// so that it disturbs neither senders nor other clients; or it misses
    /// messages, if the signal says so:
    ///
    /// | `on_lag` | what a client gets that reads too slowly |
    /// |---|---|
    /// | `Disconnect` | close code 1013: it knows that it missed something |
    /// | `Skip` | what fits: what comes meanwhile is left out |
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
    /// Every client is asked by a ping whether it is still there, each 25
    /// seconds unless the signal says otherwise (`heartbeat: 10s`). Browsers
    /// answer by themselves; one that gives no sign of life until the next time
    /// is dropped.
    ///
    /// A page of anybody could open a WebSocket to this server, with its
    /// visitor's cookies. So only own pages may: those of the host by whose
    /// name the client connects, at the same port or at one of this server's
    /// endpoints. Others are answered with 403, unless the signal lets them in:
    ///
    /// | `origins` | whose pages may connect |
    /// |---|---|
    /// | `OwnPages` | the default |
    /// | `pages_of(["https://shop.example"])` | those of these origins, too |
    /// | `AnyPage` | anybody's |
    ///
    /// Behind a proxy that changes the `Host` header, own pages are to be named
    /// like others. Programs that are no browsers send no `Origin`, and may
    /// always connect.
    ///
    /// # What clients send
    ///
    /// With two types, clients send the first and get the second. The handler is
    /// an `async fn` or an `async` closure that takes a
    /// [`SignalEvent`](crate::SignalEvent) of what is sent, and the message;
    /// [`rebroadcast`] stands in its place where clients talk to each other by
    /// themselves. A message is read from JSON; a [`RawMessage`](crate::RawMessage), on
    /// either side, travels as it is. An [`EventError`](crate::EventError) that
    /// the handler returns is told to the client, as `{"error":"…"}`; any other error
    /// goes to the log, and the client is told that its message could not be
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
    /// # Levels
    ///
    /// How widely a signal may be sent is a part of its constant's type, so a
    /// `send` that goes further doesn't compile:
    ///
    /// | `level` | who gets a message |
    /// |---|---|
    /// | `Name` | everyone on the path, a group, or one client; the default |
    /// | `Group` | a group, or one client: `event.send(CHAT, &message).to_group("red").await` |
    /// | `Client` | one client: `event.send(CHAT, &message).to_client(&id).await` |
    ///
    /// # Families
    ///
    /// A path with parameters is as many paths as there are values: each has its
    /// own clients and groups. The constant is a
    /// [`SignalFamily`](crate::SignalFamily), and `ROOM.at(&room)` one path of it.
    /// Types of parameters, up to four, are made by
    /// [`FromStr`](std::str::FromStr) and written by
    /// [`Display`](std::fmt::Display); a client that asks for what isn't one is
    /// answered with 400. Each parameter has its argument, in the order of the
    /// path, and handlers take them so, between event and message. A path is
    /// there while it has clients.
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
    /// Of two signals that are at a path, the more specific one has it:
    /// `/rooms/lobby` beside `/rooms/:room`.
    signal

    /// `=> rebroadcast` lets the clients of a [`signal`] talk to each other.
    ///
    /// What a client sends goes on to others without a handler; it must be what
    /// the signal sends, so one type stands on both sides of the arrow. An option
    /// says to whom it may go:
    ///
    /// | `rebroadcast` | to whom clients' messages may go |
    /// |---|---|
    /// | `Anyone` | to everyone, to any group, to any client |
    /// | `OwnGroups` | to the groups that the client is in, which handlers decide |
    ///
    /// A client sends JSON: `{"message": …}`, and `"group": "red"`,
    /// `"clientId": "…"` or `"direct": true` (back to itself) if it isn't for
    /// everyone. Others get the message alone.
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

    /// `on connect CHAT => handler;` does something when a client of a
    /// [`signal`] comes; `on disconnect` when it has gone.
    ///
    /// One of each for a signal, which is declared in the same block. The handler
    /// of [`connect`] takes a [`ConnectEvent`](crate::ConnectEvent) of what the
    /// signal sends, that of [`disconnect`] a
    /// [`DisconnectEvent`](crate::DisconnectEvent), and then the values of the
    /// path's parameters, if it is a family. Where a `#[cfg]` leaves the signal
    /// out, it leaves this out, too.
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
    on

    /// `on connect CHAT => handler;`: a client asks to be let in. See [`on`].
    ///
    /// The handler looks at the request, and may give the client an id, put it
    /// into groups, keep a value with it and have it greeted. An error refuses the
    /// client: an [`EventError`](crate::EventError) by its status, any other by
    /// 500. What is sent when the handler is done reaches the client.
    connect

    /// `on disconnect CHAT => handler;`: a client has gone. See [`on`].
    ///
    /// It comes once for each client that was let in, after all its messages were
    /// handled. An error goes to the log.
    disconnect

    /// `upstream PRICES: Tick = "wss://feed.example/prices" => on_tick;` listens
    /// to a WebSocket of another server.
    ///
    /// It is Pode's `Connect-PodeWebSocket`. The handler is an `async fn` or an
    /// `async` closure that takes an [`UpstreamEvent`](crate::UpstreamEvent) and
    /// a message, which serde makes of JSON, and returns nothing or a
    /// `Result<(), E>`. An error or a panic goes to the log, and the next
    /// message comes; so does what can't be read. The URL is a text, which is
    /// checked while compiling, or any expression that is `Into<String>`.
    /// Options are those of [`UpstreamOptions`](crate::UpstreamOptions).
    ///
    /// With a second type it is sent to, as well: `Tick -> Subscribe` receives
    /// the one and sends the other. The declaration makes the constant
    /// `PRICES`, an [`UpstreamName<Subscribe, Tick>`](crate::UpstreamName), by
    /// which every event and the running server reach it:
    /// `event.upstream(PRICES).send(&subscribe).await`. A handler of its own
    /// answers by `event.reply(&subscribe).await`, and takes an
    /// `UpstreamEvent<Subscribe>`.
    ///
    /// What the other server must be told on each connection is the business of
    /// one more handler, the option `on_connect`. It runs before the first
    /// message is read, and again after each reconnect. If it fails, the
    /// connection is given up and tried again.
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
    /// meanwhile: a slow handler slows the other server down, or makes it lose
    /// patience. A handler that waits for something may hand it to a task of its
    /// own, with a clone of the event.
    ///
    /// A connection that ends or doesn't come about is tried again for ever,
    /// after a time that chance chooses: up to a second first
    /// (`reconnect_delay`), then up to twice as much each time, up to half a
    /// minute (`max_reconnect_delay`). The other server is asked for a sign of
    /// life each 25 seconds (`heartbeat`), and left if none comes within twice
    /// that time. What was sent to it meanwhile is an error, and is kept by
    /// nobody. A server that stops lets a running handler finish, and takes
    /// leave by close code 1001.
    ///
    /// At a `wss` URL, the certificate must be signed by whom the operating
    /// system trusts, unless the upstream says otherwise:
    ///
    /// | `roots` | who may have signed it |
    /// |---|---|
    /// | `SystemRoots` | the default |
    /// | `system_roots_and("root.pem")` | those in this file, too |
    /// | `roots_of("root.pem")` | those in this file alone |
    upstream
}
