//! What the handler of a client sees of numbered messages, compared with what the
//! client sent: over connections that are cut wherever they may be, processes that hand
//! over, and processes that die.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use futures_util::FutureExt;
use pode_core::ClientId;
use pode_core::hub::Hub;
use proptest::prelude::*;
use serde_json::json;
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::sleep;

use crate::app::context::{Context, context_of};
use crate::app::event::{ClientInfo, SignalClient};
use crate::app::sequences::{Heard, Hold, SequenceId};
use crate::push::publisher::Signals;
use crate::push::raw_message::RawMessage;
use crate::push::session::{DisconnectReason, Incoming, Session};
use crate::signal::session::{ClientSession, Handlers};

/// Of some handlers.
const LONG: Duration = Duration::from_secs(8);

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The client has something to say.
    Say,
    /// A process gets the next message of a connection, be it one that was cut.
    Receive(u8),
    /// It has messages handled, if it isn't at it.
    Handle(u8),
    /// It tells the client which are handled.
    Acknowledge,
    /// Handlers go on.
    Wait(u8),
    /// The client connects again.
    Cut,
    /// A process notices that a connection was cut.
    Leave(u8),
    /// A newer process takes over.
    Begin,
    /// The older process ends.
    End,
    /// Whatever serves dies, and another begins.
    Die,
}

fn step(may_die: bool) -> impl Strategy<Value = Step> {
    let which = 0..4_u8;
    prop_oneof![
        6 => Just(Step::Say),
        6 => which.clone().prop_map(Step::Receive),
        4 => which.clone().prop_map(Step::Handle),
        3 => Just(Step::Acknowledge),
        4 => (1..4_u8).prop_map(Step::Wait),
        2 => Just(Step::Cut),
        1 => which.prop_map(Step::Leave),
        1 => Just(Step::Begin),
        1 => Just(Step::End),
        u32::from(may_die) => Just(Step::Die),
    ]
}

/// What the handler saw: when it began, and that it returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Begun { payload: u64, number: u64, may_be_repeated: bool },
    Returned { payload: u64 },
}

#[derive(Clone)]
struct Process {
    context: Arc<Context>,
    handlers: Arc<Handlers>,
}

impl Process {
    fn new(seen: &Arc<Mutex<Vec<Seen>>>) -> Process {
        let (hub, _deliveries) = Hub::new([("/", 16)]);
        let context = context_of(Signals::new(hub, Duration::ZERO));
        let seen = Arc::clone(seen);
        let receive = move |_: SignalClient, incoming: Incoming| {
            let Incoming { message, number, may_be_repeated, .. } = incoming;
            let RawMessage::Text(text) = message else { unreachable!("messages are text") };
            let (payload, number) = (text.parse().unwrap(), number.unwrap());
            let seen = Arc::clone(&seen);
            async move {
                let number = number.number;
                seen.lock().unwrap().push(Seen::Begun { payload, number, may_be_repeated });
                for _ in 0..payload % 5 {
                    yield_now().await;
                }
                if payload % 11 == 7 {
                    sleep(LONG).await;
                }
                seen.lock().unwrap().push(Seen::Returned { payload });
                Ok(())
            }
            .boxed()
        };
        let handlers = Handlers { receive: Some(Box::new(receive)), ..Handlers::default() };
        Process { context, handlers: Arc::new(handlers) }
    }

    fn connection(&self, hold: Hold) -> Connection {
        self.connection_of(ClientId::new(), hold, 0)
    }

    fn connection_of(&self, id: ClientId, hold: Hold, messages_per_second: u32) -> Connection {
        let info = ClientInfo {
            id,
            signal: "/",
            path: None,
            parameters: None,
            peer: None,
            state: None,
            context: Arc::clone(&self.context),
            attendance: None,
        };
        let handlers = Arc::clone(&self.handlers);
        let client = SignalClient::new(info);
        let session =
            ClientSession::new(client, false, handlers, messages_per_second, Some(hold), None);
        let (sent, waiting) = (VecDeque::new(), Vec::new());
        let context = Arc::clone(&self.context);
        Connection { context, session, sent, waiting, handling: None, is_closed: false }
    }
}

/// A connection, at the server.
struct Connection {
    /// That of its process.
    context: Arc<Context>,
    session: ClientSession,
    /// On its way to the server.
    sent: VecDeque<String>,
    waiting: Vec<Incoming>,
    handling: Option<JoinHandle<()>>,
    is_closed: bool,
}

impl Connection {
    fn receive(&mut self) {
        let Some(sent) = self.sent.pop_front().filter(|_| !self.is_closed) else { return };
        match self.session.accept(RawMessage::Text(sent)) {
            Ok(incoming) => self.waiting.extend(incoming),
            Err(_) => self.is_closed = true,
        }
    }

    fn handle(&mut self) {
        self.handling.take_if(|handling| handling.is_finished());
        if self.handling.is_none() && !self.waiting.is_empty() {
            let waiting = std::mem::take(&mut self.waiting);
            self.handling = Some(self.session.handle(waiting, Waker::noop().clone()));
        }
    }

    fn leave(mut self) {
        self.session.leave(DisconnectReason::Lost, self.handling.take(), self.waiting);
    }
}

/// A message that the client keeps.
#[derive(Debug)]
struct Kept {
    number: u64,
    payload: u64,
    was_sent: bool,
    /// Whether the server doesn't know what became of it.
    again: bool,
}

struct World {
    seen: Arc<Mutex<Vec<Seen>>>,
    older: Option<Process>,
    process: Process,
    /// The last one is the client's, the others were cut.
    connections: Vec<Connection>,
    sequence: SequenceId,
    kept: VecDeque<Kept>,
    acknowledged: u64,
    said: u64,
    has_died: bool,
}

impl World {
    fn new() -> World {
        let seen = Arc::default();
        let process = Process::new(&seen);
        let hold = process.context.sequences.begin(0);
        let sequence = hold.id;
        let connections = vec![process.connection(hold)];
        World {
            seen,
            older: None,
            process,
            connections,
            sequence,
            kept: VecDeque::new(),
            acknowledged: 0,
            said: 0,
            has_died: false,
        }
    }

    fn current(&mut self) -> &mut Connection {
        self.connections.last_mut().expect("the client has one")
    }

    /// Sends what the client keeps and hasn't sent by this connection.
    fn send(&mut self, from: usize) {
        for Kept { number, payload, was_sent, again } in self.kept.range_mut(from..) {
            *was_sent = true;
            let text = json!({ "n": number, "again": again, "data": payload });
            self.connections.last_mut().unwrap().sent.push_back(text.to_string());
        }
    }

    fn forget(&mut self, heard: u64) {
        self.kept.retain(|kept| kept.number > heard);
        self.acknowledged = heard;
    }

    async fn cut(&mut self) {
        let sequences = &self.process.context.sequences;
        let claimed = sequences.claim(self.sequence, 0).await;
        let is_known = claimed.is_some();
        let (hold, heard) = claimed.unwrap_or_else(|| (sequences.begin(0), Heard::default()));
        self.come_back(hold, heard.number, is_known);
    }

    /// The client hears the hello.
    fn come_back(&mut self, hold: Hold, heard: u64, is_known: bool) {
        self.sequence = hold.id;
        let connection = self.process.connection(hold);
        self.connections.push(connection);
        assert!(is_known || self.has_died, "a server that lives knows its clients");
        if !is_known {
            for kept in &mut self.kept {
                kept.again = kept.was_sent;
            }
        }
        self.is_handled(heard);
        self.kept.retain(|kept| kept.number > heard);
        self.acknowledged = self.acknowledged.max(heard);
        self.send(0);
    }

    /// Checks that what the client is told is true.
    fn is_handled(&self, heard: u64) {
        let seen = self.seen.lock().unwrap();
        for Kept { payload, .. } in self.kept.iter().filter(|kept| kept.number <= heard) {
            assert!(
                seen.contains(&Seen::Returned { payload: *payload }),
                "{payload} isn't handled"
            );
        }
    }

    async fn step(&mut self, step: Step) {
        let which = |number: u8, all: &mut Vec<Connection>| usize::from(number) % all.len();
        match step {
            Step::Say => {
                let number = self.kept.back().map_or(self.acknowledged, |last| last.number) + 1;
                self.kept.push_back(Kept {
                    number,
                    payload: self.said,
                    was_sent: false,
                    again: false,
                });
                self.said += 1;
                self.send(self.kept.len() - 1);
            }
            Step::Receive(number) => {
                let number = which(number, &mut self.connections);
                self.connections[number].receive();
            }
            Step::Handle(number) => {
                let number = which(number, &mut self.connections);
                self.connections[number].handle();
            }
            Step::Acknowledge => {
                if let Some(handled) = self.current().session.handled() {
                    self.current().session.acknowledge(handled);
                    self.is_handled(handled);
                    self.forget(handled);
                }
            }
            Step::Wait(times) => {
                for _ in 0..times {
                    yield_now().await;
                }
            }
            Step::Cut => self.cut().await,
            Step::Leave(number) => {
                let number = which(number, &mut self.connections);
                if number + 1 < self.connections.len() {
                    self.connections.remove(number).leave();
                }
            }
            Step::Begin if self.older.is_none() => {
                let newer = Process::new(&self.seen);
                let (asks, mut asked) = mpsc::unbounded_channel();
                newer.context.sequences.ask(Some(asks));
                let (from, to) = (Arc::clone(&self.process.context), Arc::clone(&newer.context));
                tokio::spawn(async move {
                    while let Some(id) = asked.recv().await {
                        let (from, to) = (Arc::clone(&from), Arc::clone(&to));
                        tokio::spawn(async move {
                            match from.sequences.give(id) {
                                Some(left) => to.sequences.take(left),
                                None => to.sequences.miss(id),
                            }
                            if let Some(left) = from.sequences.finish(id).await {
                                to.sequences.take(left);
                            }
                        });
                    }
                });
                self.older = Some(std::mem::replace(&mut self.process, newer));
            }
            Step::End => {
                let Some(older) = self.older.take() else { return };
                // It ends when its clients have gone.
                let current = self.connections.pop().unwrap();
                self.connections.drain(..).for_each(Connection::leave);
                if Arc::ptr_eq(&current.context, &older.context) {
                    self.connections.push(current);
                    self.cut().await;
                    self.connections.remove(0).leave();
                } else {
                    self.connections.push(current);
                }
                older.context.client_tasks.close();
                older.context.client_tasks.wait().await;
                let to = &self.process.context.sequences;
                older.context.sequences.left().into_iter().for_each(|left| to.take(left));
                to.ask(None);
            }
            Step::Die if self.older.is_none() => {
                self.has_died = true;
                for mut connection in self.connections.drain(..) {
                    if let Some(handling) = connection.handling.take() {
                        handling.abort();
                        let _ = handling.await;
                    }
                    connection.session.leave(DisconnectReason::Lost, None, Vec::new());
                }
                self.process = Process::new(&self.seen);
                // Nobody knows its tickets.
                let hold = self.process.context.sequences.begin(0);
                self.come_back(hold, 0, false);
            }
            Step::Begin | Step::Die => {}
        }
    }

    /// Lets everything come to its end.
    async fn end(&mut self) {
        self.cut().await;
        for _ in 0..1_000 {
            if self.kept.is_empty() {
                return;
            }
            for step in [Step::Wait(1), Step::Acknowledge] {
                self.step(step).await;
            }
            self.current().receive();
            self.current().handle();
            sleep(Duration::from_secs(1)).await;
        }
        panic!("these are never handled: {:?}", self.kept);
    }

    /// Checks what the handler saw.
    fn check(&self) {
        let seen = self.seen.lock().unwrap();
        let mut next = 0;
        let mut is_handling = false;
        for seen in seen.iter() {
            match *seen {
                Seen::Begun { payload, may_be_repeated, .. } => {
                    assert!(!is_handling || self.has_died, "one at a time");
                    is_handling = true;
                    if payload == next {
                        next += 1;
                    } else {
                        assert!(payload < next, "{payload} comes before {next}");
                        assert!(self.has_died && may_be_repeated, "{payload} is handled twice");
                    }
                    assert!(self.has_died || !may_be_repeated, "whoever lives knows");
                }
                Seen::Returned { .. } => is_handling = false,
            }
        }
        assert_eq!(next, self.said, "all are handled");
    }
}

fn run(steps: &[Step]) {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut world = World::new();
        for step in steps {
            world.step(*step).await;
        }
        world.end().await;
        world.check();
    });
}

/// Otherwise whoever comes back could send without end.
#[tokio::test(start_paused = true)]
async fn who_comes_back_by_a_ticket_has_sent_what_it_had() {
    let process = Process::new(&Arc::default());
    let (id, hold) = (ClientId::new(), process.context.sequences.begin(0));
    let sequence = hold.id;
    let mut connection = process.connection_of(id.clone(), hold, 2);
    let accepts = |connection: &mut Connection, number: u64| {
        let text = json!({ "n": number, "data": 0 }).to_string();
        connection.session.accept(RawMessage::Text(text)).is_ok()
    };
    // What it sends in a second may come together with that of the next one.
    assert!((1..=4).all(|number| accepts(&mut connection, number)));
    // What came before doesn't count.
    assert!(accepts(&mut connection, 4) && !accepts(&mut connection, 5));
    let (hold, _) = process.context.sequences.claim(sequence, 0).await.unwrap();
    let mut next = process.connection_of(id, hold, 2);
    assert!(!accepts(&mut next, 1));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(accepts(&mut next, 2) && accepts(&mut next, 3) && !accepts(&mut next, 4));
}

/// A member of an object, as it is written, and whether it may stand there.
fn member() -> impl Strategy<Value = (&'static str, String, bool)> {
    let data = prop_oneof![
        Just("7"),
        Just("null"),
        Just("\"a\\u00e9\""),
        Just("[1,{\"n\":2}]"),
        Just("{\"data\":1}"),
    ];
    let number = prop_oneof![
        4 => (1..5_u64).prop_map(|number| (number.to_string(), true)),
        1 => Just(("9007199254740991".to_owned(), true)),
        1 => prop_oneof![
            Just("0"), Just("-1"), Just("1.0"), Just("1e0"), Just("null"), Just("\"1\""),
            Just("9007199254740992"), Just("18446744073709551615"), Just("18446744073709551616"),
        ].prop_map(|number| (number.to_owned(), false)),
    ];
    prop_oneof![
        4 => data.prop_map(|data| ("data", data.to_owned(), true)),
        3 => number.prop_map(|(number, is_good)| ("n", number, is_good)),
        1 => any::<bool>().prop_map(|again| ("again", again.to_string(), true)),
        1 => prop_oneof![Just("null"), Just("1"), Just("\"true\"")]
            .prop_map(|again| ("again", again.to_owned(), false)),
        1 => Just(("more", "1".to_owned(), false)),
    ]
}

/// Returns the number of a message and its data, if it has any.
fn accept(text: String) -> Option<(Option<u64>, Option<String>)> {
    let process = Process::new(&Arc::default());
    let hold = process.context.sequences.begin(0);
    let mut connection = process.connection(hold);
    let incoming = connection.session.accept(RawMessage::Text(text)).ok()?;
    let Incoming { message, number, is_given_up, .. } = incoming.expect("it is the first one");
    let RawMessage::Text(data) = message else { unreachable!("messages are text") };
    Some((number.map(|number| number.number), (!is_given_up).then_some(data)))
}

proptest! {
    /// Its members are read as they were written; anything else is no message.
    #[test]
    fn an_object_is_read_as_it_was_written(
        members in prop::collection::vec((member(), "[ \n]{0,2}"), 0..4),
    ) {
        let text = members.iter().map(|((name, value, _), space)| {
            format!("{space}\"{name}\"{space}:{space}{value}{space}")
        });
        let text = format!("{{{}}}", text.collect::<Vec<_>>().join(","));
        let of = |name: &str| {
            let mut values = members.iter().filter(|((it, ..), _)| *it == name);
            let first = values.next().map(|((_, value, _), _)| value.clone());
            (first, values.next().is_none())
        };
        let ((data, one_data), (n, one_n), (again, one_again)) = (of("data"), of("n"), of("again"));
        let are_good = members.iter().all(|((.., is_good), _)| *is_good);
        let is_message = are_good && one_data && one_n && one_again
            && (n.is_some() || data.is_some() && again.as_deref() != Some("true"));
        let expected = is_message.then(|| (n.map(|n| n.parse().unwrap()), data));
        prop_assert_eq!(accept(text), expected);
    }

    /// Whatever a client says is a message that an object holds, or a fault.
    #[test]
    fn any_text_is_a_message_or_a_fault(text in "[\\[{\"nadtgi:, 0-9.\\\\}\\]]{0,30}|.{0,20}") {
        if let Some((number, data)) = accept(text.clone()) {
            let object: serde_json::Value = serde_json::from_str(&text).unwrap();
            let data = data.map(|data| serde_json::from_str::<serde_json::Value>(&data).unwrap());
            prop_assert_eq!(object.get("data"), data.as_ref());
            prop_assert_eq!(object.get("n").and_then(serde_json::Value::as_u64), number);
        }
    }

    #[test]
    fn each_message_is_handled_once_and_in_order(
        steps in prop::collection::vec(step(false), 0..120),
    ) {
        run(&steps);
    }

    #[test]
    fn after_a_crash_none_is_missing_and_repeats_are_told(
        steps in prop::collection::vec(step(true), 0..120),
    ) {
        run(&steps);
    }
}
