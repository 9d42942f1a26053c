//! A client of a signal that speaks `pode.v1`.

mod presence;

use std::collections::VecDeque;
use std::time::Duration;

use pode_core::hub::Position;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;

use super::client::Client;
use super::connect::Connect;
use super::json;
use super::patience::{OrFail, Patience};
use super::protocol::{Gap, Hello, Machine, PROTOCOL, Received, Told};
use super::socket::{Closed, Heard, Socket};

/// A client of a signal that speaks `pode.v1`, made by
/// [`protocol_v1`](Connect::protocol_v1): it knows its position, is told of gaps, has
/// its messages acknowledged, and comes back after a cut.
///
/// What comes is kept in its order until the test asks for it. Where it waits for a
/// message, an error or a gap, none of the others may come before.
///
/// # Panics
///
/// Each method that waits does so for the server's
/// [`deadline`](super::Start::deadline). Then it panics, as it does when something
/// else comes; the message says what was expected where, and what came.
pub struct ProtocolClient<Out, In> {
    /// As the first handshake, but for its target and the subprotocols of this client.
    connect: Connect<Out, In>,
    /// Absent after a cut.
    client: Option<Client<Out, In>>,
    machine: Machine,
    deadline: Duration,
}

impl<Out, In> Connect<Out, In> {
    /// Connects a client that speaks `pode.v1`, and waits for its hello:
    /// `server.connect(CHAT).protocol_v1().await`.
    ///
    /// # Panics
    ///
    /// As when this is awaited; or the signal doesn't speak it, since its messages are
    /// raw; or `on connect` or a limit refuses the client.
    pub async fn protocol_v1(self) -> ProtocolClient<Out, In> {
        let machine = Machine::new(&self.head.target);
        let (patience, deadline) = (self.head.patience, self.endpoints.deadline);
        let mut client = ProtocolClient { connect: self, client: None, machine, deadline };
        client.connect(patience).await;
        client
    }
}

impl<Out, In> ProtocolClient<Out, In> {
    /// Sets how long each wait here may take, instead of its server's
    /// [`deadline`](super::Start::deadline).
    pub fn set_deadline(&mut self, deadline: Duration) {
        self.deadline = deadline;
    }

    /// Returns what the server said first, on the last connection.
    pub fn hello(&self) -> &Hello {
        self.machine.hello()
    }

    /// Returns the position behind what this client has read: that is where it resumes.
    pub fn position(&self) -> Option<Position> {
        self.machine.position()
    }

    /// Waits for the next message.
    #[track_caller]
    #[expect(clippy::should_implement_trait, reason = "that of `Client` is called so, too")]
    pub fn next(&mut self) -> impl Future<Output = Out> + Send
    where
        Out: DeserializeOwned,
    {
        let message = self.next_received();
        async move { message.await.data }
    }

    /// Waits for the next message, and returns what stands beside it, too; of the
    /// signal's type, or of another one.
    #[track_caller]
    pub fn next_received<T: DeserializeOwned>(
        &mut self,
    ) -> impl Future<Output = Received<T>> + Send {
        let patience = self.patience();
        async move {
            match self.next_told("a message", patience).await {
                Told::Message(Received { data, position, key, re, status }) => {
                    Received { data: read(&data, patience), position, key, re, status }
                }
                other => unexpected("a message", &other, patience),
            }
        }
    }

    /// Waits for the next message, which is to be this one. Their JSON is compared, so
    /// that the type needs nothing that its server doesn't.
    #[track_caller]
    pub fn assert_next(&mut self, expected: &Out) -> impl Future<Output = ()> + Send
    where
        Out: Serialize + Sync,
    {
        let patience = self.patience();
        let expected = json::write(expected, patience);
        async move {
            let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
            match self.next_told(&expected, patience).await {
                Told::Message(it) if value(it.data.get()) == value(&expected) => {}
                other => unexpected(&expected, &other, patience),
            }
        }
    }

    /// Waits for the next error: a message of this client was not handled.
    #[track_caller]
    pub fn next_error(&mut self) -> impl Future<Output = Received<String>> + Send {
        let patience = self.patience();
        async move {
            match self.next_told("an error", patience).await {
                Told::Error(error) => error,
                other => unexpected("an error", &other, patience),
            }
        }
    }

    /// Waits until the client is told that it misses messages.
    #[track_caller]
    pub fn next_gap(&mut self) -> impl Future<Output = Gap> + Send {
        let patience = self.patience();
        async move {
            match self.next_told("a gap", patience).await {
                Told::Gap(gap) => gap,
                other => unexpected("a gap", &other, patience),
            }
        }
    }

    /// Waits until the client is told that a key is removed, and returns it.
    #[track_caller]
    pub fn next_removal(&mut self) -> impl Future<Output = String> + Send {
        let patience = self.patience();
        async move {
            match self.next_told("a removal", patience).await {
                Told::Removed(key) => key,
                other => unexpected("a removal", &other, patience),
            }
        }
    }

    /// Waits until the client is told to forget all keys: those that there are come next.
    #[track_caller]
    pub fn next_reset(&mut self) -> impl Future<Output = ()> + Send {
        let patience = self.patience();
        async move {
            match self.next_told("a reset", patience).await {
                Told::Reset => {}
                other => unexpected("a reset", &other, patience),
            }
        }
    }

    /// Waits until all has come that the client had missed or that is replayed, with
    /// greetings, and returns these messages. A removal, a reset, a gap or an error that
    /// came among them is kept for the test, in its order. `live` doesn't come where
    /// messages have no numbers.
    #[track_caller]
    pub fn until_live(&mut self) -> impl Future<Output = Vec<Out>> + Send
    where
        Out: DeserializeOwned + Send,
    {
        let patience = self.patience();
        async move {
            let (mut messages, mut others) = (Vec::new(), VecDeque::new());
            loop {
                match self.next_of_all("`live`", patience).await {
                    Told::Live => break,
                    Told::Message(it) => messages.push(read(&it.data, patience)),
                    other => others.push_back(other),
                }
            }
            others.append(&mut self.machine.told);
            self.machine.told = others;
            messages
        }
    }

    /// Sends a message with a number: it is handled once, whatever cuts there are. The
    /// test need not wait for anything; after a cut, it is sent by the next connection.
    /// No more are sent in a second than the server takes (`messages_per_second`).
    ///
    /// Returns its number, which is 1 for the first message of this client; a message
    /// keeps it, whatever server it is sent to.
    #[track_caller]
    pub fn send(&mut self, message: &In) -> impl Future<Output = u64> + Send
    where
        In: Serialize,
    {
        self.send_json(message)
    }

    /// Sends a message of another type with a number.
    #[track_caller]
    pub fn send_json<T: Serialize + ?Sized>(
        &mut self,
        message: &T,
    ) -> impl Future<Output = u64> + Send {
        let patience = self.patience();
        let data = raw(message, patience);
        async move {
            let Some(number) = self.machine.send(data) else { self.fail_to_send(patience) };
            self.flush(patience).await;
            number
        }
    }

    /// Sends a message without a number: it is handled at most once. It is sent however
    /// many there are, so a test can send too many.
    #[track_caller]
    pub fn send_once(&mut self, message: &In) -> impl Future<Output = ()> + Send
    where
        In: Serialize,
    {
        let patience = self.patience();
        let data = raw(message, patience);
        async move {
            // It waits for no other connection.
            self.socket("a connection", patience);
            if !self.machine.send_once(&data) {
                self.fail_to_send(patience);
            }
            self.flush(patience).await;
        }
    }

    /// Waits until a message of this client is acknowledged. What comes meanwhile is
    /// kept for the test.
    #[track_caller]
    pub fn acknowledged(&mut self, number: u64) -> impl Future<Output = ()> + Send {
        let patience = self.patience();
        async move {
            while self.machine.keeps(number) {
                self.hear(&format!("the `ack` of message {number}"), patience).await;
            }
        }
    }

    /// Makes sure that no message, error, removal, reset, gap or refusal is left here; see
    /// [`Client::assert_silent`].
    #[track_caller]
    pub fn assert_silent(&mut self) -> impl Future<Output = ()> + Send {
        let patience = self.patience();
        async move {
            self.connect.settling.settle(patience).await;
            self.read_rest(patience);
            self.socket("silence", patience).assert_nothing_unread(patience).await;
            self.flush(patience).await;
            while let Some(told) = self.machine.told.pop_front() {
                if let Told::Message(..)
                | Told::Error(..)
                | Told::Removed(_)
                | Told::Reset
                | Told::Gap(_)
                | Told::Refused(_) = told
                {
                    unexpected("nothing", &told, patience);
                }
            }
        }
    }

    /// Cuts the connection. What this client hasn't read by then is as if it hadn't come
    /// yet, so where it resumes depends on the test alone.
    pub fn cut(&mut self) {
        self.client = None;
        self.machine.close("");
    }

    /// Comes back with its position and its ticket, and waits for the hello; then what
    /// wasn't acknowledged is sent again. If it is still connected, it is cut before.
    #[track_caller]
    pub fn come_back(&mut self) -> impl Future<Output = ()> + Send {
        let patience = self.patience();
        self.cut();
        async move { self.connect(patience).await }
    }

    /// Comes back without its ticket, as to a server that was started anew: what wasn't
    /// acknowledged is sent again, and its handler told that it
    /// [may be repeated](crate::app::event::SignalEvent::may_be_repeated).
    #[track_caller]
    pub fn come_back_unknown(&mut self) -> impl Future<Output = ()> + Send {
        self.machine.lose_ticket();
        self.come_back()
    }

    /// Closes the connection with code 1000, as who leaves for good, and waits for its end.
    #[track_caller]
    pub fn close(mut self) -> impl Future<Output = ()> + Send {
        let patience = self.patience();
        async move { self.socket("an end", patience).close(1000, "", patience).await }
    }

    /// Waits until the server has ended the connection, and returns how. What came
    /// before can still be asked for.
    #[track_caller]
    pub fn closed(&mut self) -> impl Future<Output = Closed> + Send {
        let patience = self.patience();
        async move {
            let closed = self.socket("an end", patience).closed(patience).await;
            self.read_rest(patience);
            self.machine.close(&closed.reason);
            self.client = None;
            closed
        }
    }

    async fn connect(&mut self, patience: Patience) {
        let mut connect = self.connect.again();
        let (target, offered) = self.machine.connect();
        connect.head.target = target;
        connect.head.patience = patience;
        for subprotocol in offered {
            connect = connect.subprotocol(&subprotocol);
        }
        let client = connect.connect().await;
        let chosen = client.subprotocol();
        if chosen != Some(PROTOCOL) {
            patience.fail(format_args!("the signal speaks {chosen:?}, and not `{PROTOCOL}`"));
        }
        self.machine.open(chosen);
        self.client = Some(client);
        while !self.machine.is_greeted() {
            self.hear("the hello", patience).await;
        }
    }

    /// Waits for the next frame.
    async fn hear(&mut self, what: &str, patience: Patience) {
        let heard = self.socket(what, patience).next(patience).await;
        self.receive(&heard, patience);
        self.flush(patience).await;
    }

    /// Takes what has come already.
    fn read_rest(&mut self, patience: Patience) {
        while let Some(heard) = self.client.as_mut().and_then(|client| client.socket.unread()) {
            self.receive(&heard, patience);
        }
    }

    fn receive(&mut self, heard: &Heard, patience: Patience) {
        let Heard::Text(text) = heard else {
            patience.fail("there are no binary frames in `pode.v1`")
        };
        let what = format_args!("this is no object of `pode.v1`: {}", json::shown(text.as_bytes()));
        self.machine.receive(text).or_fail(patience, what);
    }

    fn socket(&mut self, expected: &str, patience: Patience) -> &mut Socket {
        match &mut self.client {
            Some(client) => &mut client.socket,
            None => patience.fail(format_args!("expected {expected}, but the client is cut")),
        }
    }

    /// Sends what the machine has to send, at the pace that the server takes it.
    async fn flush(&mut self, patience: Patience) {
        loop {
            for frame in std::mem::take(&mut self.machine.outgoing) {
                if let Some(client) = &self.client {
                    client.socket.send(Message::text(frame), patience).await;
                }
            }
            let Some(pause) = self.machine.pause() else { return };
            sleep(pause).await;
            self.machine.send_due();
        }
    }

    async fn next_told(&mut self, what: &str, patience: Patience) -> Told {
        loop {
            match self.next_of_all(what, patience).await {
                Told::Live => {}
                told => return told,
            }
        }
    }

    async fn next_of_all(&mut self, what: &str, patience: Patience) -> Told {
        loop {
            match self.machine.told.pop_front() {
                Some(
                    Told::Hello
                    | Told::Acknowledged(_)
                    | Told::Repeated(_)
                    | Told::Here
                    | Told::Joined(_)
                    | Told::Left(_),
                ) => {}
                Some(told) => return told,
                None => self.hear(what, patience).await,
            }
        }
    }

    fn fail_to_send(&self, patience: Patience) -> ! {
        match self.hello().max {
            None => patience.fail("clients of this signal only listen"),
            Some(max) => patience.fail(format_args!("the message is longer than {max} bytes")),
        }
    }

    #[track_caller]
    fn patience(&self) -> Patience {
        Patience::new(self.deadline)
    }
}

fn raw<T: Serialize + ?Sized>(message: &T, patience: Patience) -> Box<RawValue> {
    let what = format_args!("no JSON is made of {}", json::name::<T>());
    to_raw_value(message).or_fail(patience, what)
}

fn read<T: DeserializeOwned>(data: &RawValue, patience: Patience) -> T {
    json::read(data.get().as_bytes(), patience)
}

fn unexpected(expected: &str, got: &Told, patience: Patience) -> ! {
    let got = match got {
        Told::Message(it) => json::shown(it.data.get().as_bytes()),
        Told::Error(it) => format!("the error {:?}", it.data),
        Told::Removed(key) => format!("that the key {key:?} is removed"),
        Told::Reset => "a reset".to_owned(),
        Told::Gap(gap) => format!("a gap: {gap:?}"),
        Told::Refused(data) => {
            let data = json::shown(data.get().as_bytes());
            format!("that the server no longer takes {data}, as it is too long")
        }
        other => format!("{other:?}"),
    };
    patience.fail(format_args!("expected {expected}, got {got}"))
}

// A derive would require the same of the payload types.
impl<Out, In> std::fmt::Debug for ProtocolClient<Out, In> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProtocolClient").field("hello", self.hello()).finish_non_exhaustive()
    }
}
