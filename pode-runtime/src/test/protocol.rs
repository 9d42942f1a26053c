//! What a client of `pode.v1` knows and does, without I/O: docs/protocol.md.
//!
//! Whatever happens is told to a [`Machine`]; what follows is then in its `outgoing`
//! and `told`.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::num::NonZero;
use std::time::Duration;

use pode_core::hub::Position;
use serde::Deserialize;
use serde_json::Result;
use serde_json::value::RawValue;

use super::socket::Closed;
use crate::base::token_bucket::TokenBucket;

pub(super) const PROTOCOL: &str = "pode.v1";
const AGAIN: &str = r#""again":true,"#;

/// What the server says first to a client of `pode.v1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Hello {
    /// The id of this client, signed if the server signs ids.
    pub id: String,
    /// The id by which others know this client, where clients are told who is present.
    pub me: Option<String>,
    /// The numbering of messages; absent where messages have no numbers.
    pub epoch: Option<String>,
    /// What comes from the signal is behind this number; absent with `epoch`.
    pub at: Option<u64>,
    /// Whether everything behind the client's position comes; absent if it had none.
    pub resumed: Option<bool>,
    /// The seconds between two signs of life; absent if there are none.
    pub beat: Option<u64>,
    /// With which the client comes back as the same.
    pub ticket: Option<String>,
    /// The number of its last message that is handled; absent if clients only listen.
    pub heard: Option<u64>,
    /// The number behind it, if that message is being handled.
    pub handling: Option<u64>,
    /// Whether the server knows the messages that it has sent before; absent if it
    /// offered no ticket, or clients only listen.
    pub known: Option<bool>,
    /// How many bytes a frame from the client may have; absent if clients only listen.
    pub max: Option<usize>,
    /// How many messages the server takes in a second; absent if there is no limit, or
    /// clients only listen.
    pub rate: Option<NonZero<u32>>,
}

/// That messages are missing for a client of `pode.v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The numbers between which they are; absent where it isn't known.
    pub between: Option<(u64, u64)>,
    /// `age`, `lag`, `epoch` or `carrier`.
    pub why: String,
}

/// What a client of `pode.v1` got: a message, or the text of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received<T> {
    /// What was sent.
    pub data: T,
    /// The position behind it; absent of a greeting, and where messages have no numbers.
    pub position: Option<Position>,
    /// What it is the newest of, where messages have keys.
    pub key: Option<String>,
    /// The number of the message of this client to which it is a reply.
    pub re: Option<u64>,
    /// The HTTP status of an error, such as that of an [`EventError`](crate::EventError).
    pub status: Option<u16>,
}

/// What the program of a client learns.
#[derive(Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "a test asks for each message itself"))]
pub(super) enum Told {
    Hello,
    Message(Received<Box<RawValue>>),
    Error(Received<String>),
    /// This key is gone.
    Removed(String),
    /// All keys are to be forgotten; a hello that isn't resumed tells that, too.
    Reset,
    Gap(Gap),
    /// Who is present, or how many, is now this.
    Here,
    /// This client is present, or another is told of it.
    Joined(String),
    /// It is no longer.
    Left(String),
    Live,
    /// The messages of these numbers are handled.
    Acknowledged(Vec<u64>),
    /// Those of these numbers are sent again, and may be handled twice.
    Repeated(Vec<u64>),
    /// This message was sent before, and is longer than the server takes now.
    Refused(Box<RawValue>),
    /// A frame, as it is: the response hasn't chosen the protocol.
    Plain(String),
}

#[derive(Debug)]
pub(super) struct Machine {
    /// Without the parameter `resume`.
    target: String,
    position: Option<Position>,
    epoch: Option<u64>,
    ticket: Option<String>,
    speaks: bool,
    /// The last one.
    hello: Hello,
    /// Whether that came on this connection.
    is_greeted: bool,
    /// The messages that aren't acknowledged, by their numbers; nothing of those that
    /// the server doesn't take.
    kept: BTreeMap<u64, Option<Box<RawValue>>>,
    /// The last number that was given.
    last: u64,
    /// The last number that was sent.
    sent: u64,
    /// That of those that were sent by this connection.
    sent_here: u64,
    /// What the server's rate leaves.
    rate: TokenBucket,
    /// Messages up to this number may have been handled before: the server knew them no
    /// more.
    repeated: u64,
    pub(super) present: Present,
    pub(super) outgoing: Vec<String>,
    pub(super) told: VecDeque<Told>,
}

/// Who is present, as far as a client knows.
#[derive(Debug)]
pub(super) enum Present {
    Each(BTreeMap<String, Box<RawValue>>),
    Count(usize),
}

impl Machine {
    /// A target with a position as its parameter `resume` is one to resume from.
    pub(super) fn new(target: &str) -> Machine {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let position = |it: &&str| it.strip_prefix("resume=").and_then(|it| it.parse().ok());
        let parameters = || query.split('&').filter(|it| !it.is_empty());
        let rest: Vec<_> = parameters().filter(|it| position(it).is_none()).collect();
        let sign = if rest.is_empty() { "" } else { "?" };
        Machine {
            target: format!("{path}{sign}{}", rest.join("&")),
            position: parameters().find_map(|it| position(&it)),
            epoch: None,
            ticket: None,
            speaks: false,
            hello: Hello::default(),
            is_greeted: false,
            kept: BTreeMap::new(),
            last: 0,
            sent: 0,
            sent_here: 0,
            rate: TokenBucket::new(),
            repeated: 0,
            present: Present::Each(BTreeMap::new()),
            outgoing: Vec::new(),
            told: VecDeque::new(),
        }
    }

    /// Returns the target of the next handshake, and what to offer.
    pub(super) fn connect(&self) -> (String, Vec<String>) {
        let sign = if self.target.contains('?') { '&' } else { '?' };
        let resume = self.position.map(|position| format!("{sign}resume={position}"));
        let ticket = self.ticket.as_ref().map(|ticket| format!("pode.ticket.{ticket}"));
        let target = self.target.clone() + &resume.unwrap_or_default();
        (target, [PROTOCOL.to_owned()].into_iter().chain(ticket).collect())
    }

    /// The response has chosen this subprotocol.
    pub(super) fn open(&mut self, chosen: Option<&str>) {
        self.speaks = chosen == Some(PROTOCOL);
    }

    /// The connection has ended, with this reason in its close frame.
    pub(super) fn close(&mut self, reason: &str) {
        (self.speaks, self.is_greeted) = (false, false);
        if let Some((_, behind)) = reason.split_once("resume=") {
            let end = behind.find([' ', ';']).unwrap_or(behind.len());
            self.position = behind[..end].parse().ok().or(self.position);
        }
    }

    /// Makes this a client that the server doesn't know.
    pub(super) fn lose_ticket(&mut self) {
        self.ticket = None;
    }

    /// Returns the last hello.
    pub(super) fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Whether it came on this connection.
    pub(super) fn is_greeted(&self) -> bool {
        self.is_greeted
    }

    pub(super) fn position(&self) -> Option<Position> {
        self.position
    }

    /// Whether a message is still to be acknowledged.
    pub(super) fn keeps(&self, number: u64) -> bool {
        self.kept.contains_key(&number)
    }

    /// Sends a message that is handled once, after the next hello if there is no
    /// connection; returns its number. `None` if the server doesn't take it, by the last
    /// hello.
    pub(super) fn send(&mut self, data: Box<RawValue>) -> Option<u64> {
        let number = self.last + 1;
        // There must be room to send it once more, too.
        if !self.takes(self.frame(number, Some(&data)).len() + AGAIN.len()) {
            return None;
        }
        self.last = number;
        self.kept.insert(number, Some(data));
        self.send_due();
        Some(number)
    }

    /// Sends what wasn't sent by this connection, as far as the server's rate admits.
    pub(super) fn send_due(&mut self) {
        while let Some(number) = self.next_number()
            && self.is_in_rate()
        {
            self.outgoing.push(self.frame(number, self.kept[&number].as_deref()));
            self.sent_here = number;
            self.sent = self.sent.max(number);
        }
    }

    fn is_in_rate(&mut self) -> bool {
        let Some(rate) = self.hello.rate.map(NonZero::get) else { return true };
        self.rate.take(rate, Duration::from_secs(1) / rate)
    }

    fn next_number(&self) -> Option<u64> {
        let mut numbers = self.kept.range(self.sent_here + 1..).map(|(number, _)| *number);
        numbers.next().filter(|_| self.is_greeted)
    }

    /// Returns after how long more can be sent, at the latest; `None` if nothing waits.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.next_number()?;
        Some(Duration::from_secs(1) / self.hello.rate?.get())
    }

    /// Sends a message that may be lost, whatever the rate; tells whether it is sent.
    pub(super) fn send_once(&mut self, data: &RawValue) -> bool {
        let frame = format!(r#"{{"data":{data}}}"#);
        let is_sent = self.is_greeted && self.takes(frame.len());
        self.outgoing.extend(is_sent.then_some(frame));
        is_sent
    }

    /// Reads a text frame.
    pub(super) fn receive(&mut self, text: &str) -> Result<()> {
        if !self.speaks {
            self.told.push_back(Told::Plain(text.to_owned()));
            return Ok(());
        }
        let members = Members(serde_json::from_str(text)?);
        if members.has("hello") {
            self.begin(serde_json::from_str(text)?);
            return Ok(());
        }
        let between = members.read::<Option<(u64, u64)>>("gap")?;
        if let Some(epoch) = members.read::<String>("epoch")? {
            self.epoch = number_of(&epoch);
        }
        let at = between.flatten().map(|(_, to)| to);
        let at = at.or(members.read("at")?).or(members.read("live")?);
        self.come_to(at.or(members.read("reset")?));
        self.ticket = members.read("ticket")?.or(self.ticket.take());
        if let Some(number) = members.read("ack")? {
            self.acknowledge(number);
        }
        let (re, key) = (members.read("re")?, members.read("key")?);
        let position = self.position.filter(|_| members.has("at"));
        if let Some(data) = members.read("error")? {
            let (key, status) = (None, members.read("status")?);
            self.told.push_back(Told::Error(Received { data, position, key, re, status }));
        }
        if let Some(data) = members.read("data")? {
            let status = None;
            self.told.push_back(Told::Message(Received { data, position, key, re, status }));
        } else if let Some(key) = key {
            self.told.push_back(Told::Removed(key));
        }
        if members.has("reset") {
            self.told.push_back(Told::Reset);
        }
        if let Some(between) = between {
            let why = members.read("why")?.unwrap_or_default();
            self.told.push_back(Told::Gap(Gap { between, why }));
        }
        if let Some(here) = members.read("here")? {
            let counted = || Ok(Present::Count(members.read("count")?.unwrap_or_default()));
            self.present =
                Option::map_or_else(here, counted, |here| Result::Ok(Present::Each(here)))?;
            self.told.push_back(Told::Here);
        }
        if let Present::Each(present) = &mut self.present {
            if let Some(id) = members.read::<String>("join")? {
                present.insert(id.clone(), members.read("info")?.unwrap_or_default());
                self.told.push_back(Told::Joined(id));
            }
            if let Some(id) = members.read::<String>("leave")? {
                present.remove(&id);
                self.told.push_back(Told::Left(id));
            }
        }
        if members.has("live") {
            self.told.push_back(Told::Live);
        }
        Ok(())
    }

    fn begin(&mut self, hello: Hello) {
        self.epoch = hello.epoch.as_deref().and_then(number_of);
        self.position = None;
        self.come_to(hello.at);
        self.ticket = hello.ticket.clone().or(self.ticket.take());
        self.told.push_back(Told::Hello);
        if hello.known == Some(true) {
            let heard = hello.heard.unwrap_or_default();
            // A page that was loaded anew has the ticket, but not the count.
            self.last = self.last.max(hello.handling.unwrap_or(heard));
            self.acknowledge(heard);
        } else {
            // Nobody knows which of these were handled.
            self.repeated = self.sent;
        }
        let is_known = hello.known == Some(true);
        (self.hello, self.is_greeted, self.sent_here) = (hello, true, 0);
        self.give_up();
        let repeated = numbers(self.kept.range(..=self.sent));
        if !is_known && !repeated.is_empty() {
            self.told.push_back(Told::Repeated(repeated));
        }
        self.send_due();
    }

    /// Leaves of each message that this server doesn't take its number alone, as those
    /// behind it can't come without.
    fn give_up(&mut self) {
        for (number, mut data) in std::mem::take(&mut self.kept) {
            if !self.takes(self.frame(number, data.as_deref()).len()) {
                self.told.extend(data.take().map(Told::Refused));
            }
            self.kept.insert(number, data);
        }
        if self.hello.max.is_none() {
            self.kept.clear();
        }
    }

    fn come_to(&mut self, number: Option<u64>) {
        if let (Some(epoch), Some(number)) = (self.epoch, number) {
            self.position = Some(Position { epoch, number });
        }
    }

    fn acknowledge(&mut self, number: u64) {
        let rest = self.kept.split_off(&(number + 1));
        let handled = numbers(&std::mem::replace(&mut self.kept, rest));
        if !handled.is_empty() {
            self.told.push_back(Told::Acknowledged(handled));
        }
    }

    fn frame(&self, number: u64, data: Option<&RawValue>) -> String {
        let again = if number <= self.repeated { AGAIN } else { "" };
        match data {
            Some(data) => format!(r#"{{"n":{number},{again}"data":{data}}}"#),
            None => format!(r#"{{{again}"n":{number}}}"#),
        }
    }

    fn takes(&self, bytes: usize) -> bool {
        self.hello.max.is_some_and(|max| bytes <= max)
    }
}

/// Returns the numbers of those messages that weren't given up.
fn numbers<'kept>(
    kept: impl IntoIterator<Item = (&'kept u64, &'kept Option<Box<RawValue>>)>,
) -> Vec<u64> {
    kept.into_iter().filter(|(_, data)| data.is_some()).map(|(number, _)| *number).collect()
}

/// The members of an object.
struct Members<'text>(HashMap<String, &'text RawValue>);

impl<'text> Members<'text> {
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Reads a member; a `null` is there, too.
    fn read<T: Deserialize<'text>>(&self, name: &str) -> Result<Option<T>> {
        self.0.get(name).map(|member| serde_json::from_str(member.get())).transpose()
    }
}

/// Returns what an epoch's hexadecimal digits say.
fn number_of(epoch: &str) -> Option<u64> {
    u64::from_str_radix(epoch, 16).ok()
}

impl Closed {
    /// Tells whether a client of `pode.v1` that was closed so comes back by itself.
    pub fn comes_back(&self) -> bool {
        match self.code {
            1000 | 1002 | 1003 | 1007..=1009 | 4001 => false,
            4408 | 4409 | 4425 | 4429 => true,
            code => !(4400..4500).contains(&code),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};
    use tokio::time::advance;

    use super::*;

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/protocol/client");

    /// A client, with what its program sends before the first hello. A test can't do
    /// that: its client waits for the hello.
    struct Talk {
        machine: Machine,
        waiting: Vec<Value>,
    }

    impl Talk {
        fn new(client: &Value) -> Talk {
            let path = client["path"].as_str().unwrap_or("/chat");
            let mut machine = Machine::new(path);
            machine.position = client["position"].as_str().map(|it| it.parse().unwrap());
            machine.ticket = client["ticket"].as_str().map(str::to_owned);
            Talk { machine, waiting: Vec::new() }
        }

        /// Tells the client what happens; returns what follows. None of a silence, of
        /// which a client of a test knows nothing.
        async fn happens(&mut self, step: &Value) -> Option<Vec<Value>> {
            let (machine, mut follows) = (&mut self.machine, Vec::new());
            if step.get("connect").is_some() {
                let (path, offer) = machine.connect();
                follows.push(json!({ "request": { "path": path, "offer": offer } }));
            } else if let Some(chosen) = step.get("response") {
                machine.open(chosen.as_str());
            } else if let Some(frame) = step.get("server") {
                let text = frame.as_str().map_or_else(|| frame.to_string(), str::to_owned);
                machine.receive(&text).unwrap();
            } else if let Some(data) = step.get("send") {
                self.waiting.push(data.clone());
            } else if let Some(data) = step.get("send_once") {
                machine.send_once(&raw(data));
            } else if let Some(code) = step.get("closed") {
                let reason = step["reason"].as_str().unwrap_or_default().to_owned();
                machine.close(&reason);
                let code = code.as_u64().unwrap().try_into().unwrap();
                follows.push(json!({ "back": Closed { code, reason }.comes_back() }));
            } else if let Some(seconds) = step.get("after") {
                advance(Duration::from_secs_f64(seconds.as_f64().unwrap())).await;
                machine.send_due();
            } else {
                assert!(step.get("silence").is_some(), "nobody knows this step: {step}");
                return None;
            }
            let told = machine.told.drain(..);
            let told =
                told.map(|it| json!({ "told": told_of(it, &machine.hello, &machine.present) }));
            follows.extend(told);
            if machine.hello != Hello::default() {
                for data in self.waiting.drain(..) {
                    if machine.send(raw(&data)).is_none() {
                        follows.push(json!({ "told": { "refused": data } }));
                    }
                }
            }
            for frame in machine.outgoing.drain(..) {
                follows.push(json!({ "client": serde_json::from_str::<Value>(&frame).unwrap() }));
            }
            Some(follows)
        }
    }

    fn told_of(told: Told, hello: &Hello, present: &Present) -> Value {
        let with_re = |mut told: Value, re: Option<u64>| {
            if let Some(number) = re {
                told["re"] = number.into();
            }
            told
        };
        match told {
            Told::Hello => match hello.resumed {
                Some(resumed) => json!({ "hello": { "id": hello.id, "resumed": resumed } }),
                None => json!({ "hello": { "id": hello.id } }),
            },
            Told::Here => match present {
                Present::Each(here) => json!({ "here": here }),
                Present::Count(count) => json!({ "here": null, "count": count }),
            },
            Told::Joined(id) => {
                let Present::Each(here) = present else { unreachable!("it has just joined") };
                json!({ "joined": id, "info": here[&id] })
            }
            Told::Left(id) => json!({ "left": id }),
            Told::Message(it) => {
                let mut message = json!({ "data": it.data });
                if let Some(key) = it.key {
                    message["key"] = key.into();
                }
                json!({ "message": with_re(message, it.re) })
            }
            Told::Removed(key) => json!({ "removed": key }),
            Told::Reset => json!("reset"),
            Told::Error(it) => {
                let mut error = json!({ "error": it.data });
                if let Some(status) = it.status {
                    error["status"] = status.into();
                }
                json!({ "error": with_re(error, it.re) })
            }
            Told::Gap(gap) => json!({ "gap": gap.between, "why": gap.why }),
            Told::Live => json!("live"),
            Told::Acknowledged(numbers) => json!({ "acknowledged": numbers }),
            Told::Repeated(numbers) => json!({ "repeated": numbers }),
            Told::Refused(data) => json!({ "refused": data }),
            Told::Plain(text) => json!({ "text": text }),
        }
    }

    fn raw(data: &Value) -> Box<RawValue> {
        RawValue::from_string(data.to_string()).unwrap()
    }

    /// Order counts among steps of one name. This client waits for its hello: what
    /// follows from others, and is marked so, is left out.
    fn by_name(mut steps: Vec<Value>) -> Vec<Value> {
        let name = |step: &Value| step.as_object().unwrap().keys().next().unwrap().clone();
        steps.retain(|step| {
            step.get("nothing").is_none() && step.get("early") != Some(&json!(true))
        });
        for step in &mut steps {
            step.as_object_mut().unwrap().remove("early");
        }
        steps.sort_by_key(name);
        steps
    }

    /// Puts a value wherever `EACH` stands.
    fn filled(steps: &Value, value: &Value) -> Value {
        match steps {
            Value::String(text) if text == "EACH" => value.clone(),
            Value::Array(steps) => steps.iter().map(|it| filled(it, value)).collect(),
            Value::Object(step) => {
                step.iter().map(|(name, it)| (name.clone(), filled(it, value))).collect()
            }
            other => other.clone(),
        }
    }

    async fn hold(dialogue: &Value) {
        let mut talk = Talk::new(&dialogue["client"]);
        let (mut follows, mut expected) = (Vec::new(), Vec::new());
        let name = &dialogue["name"];
        for step in dialogue["steps"].as_array().unwrap() {
            let is_expected = ["request", "client", "told", "back", "lost", "nothing"];
            if is_expected.iter().any(|name| step.get(name).is_some()) {
                expected.push(step.clone());
                continue;
            }
            if !expected.is_empty() {
                assert_eq!(by_name(follows), by_name(expected), "{name}, before {step}");
                (follows, expected) = (Vec::new(), Vec::new());
            }
            let Some(more) = talk.happens(step).await else { return };
            follows.extend(more);
        }
        assert_eq!(by_name(follows), by_name(expected), "{name}, at its end");
    }

    #[tokio::test(start_paused = true)]
    async fn it_does_as_the_dialogues_for_clients_say() {
        let mut count = 0;
        for file in Path::new(FOLDER).read_dir().unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            for dialogue in serde_json::from_str::<Vec<Value>>(&text).unwrap() {
                let each = dialogue.get("each").and_then(Value::as_array).cloned();
                for value in each.unwrap_or_else(|| vec![json!("EACH")]) {
                    hold(&filled(&dialogue, &value)).await;
                    count += 1;
                }
            }
        }
        assert!(count > 100, "{count}");
    }
}
