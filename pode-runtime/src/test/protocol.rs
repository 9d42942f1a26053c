//! What a client of `pode.v1` knows and does, without I/O: docs/protocol.md.
//!
//! Whatever happens is told to a [`Machine`]; what follows is then in its `outgoing`
//! and `told`.

use std::collections::{HashMap, VecDeque};

use pode_core::hub::Position;
use serde::Deserialize;
use serde_json::Result;
use serde_json::value::RawValue;

use super::socket::Closed;

pub(super) const PROTOCOL: &str = "pode.v1";
const AGAIN: &str = r#""again":true,"#;

/// What the server says first to a client of `pode.v1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Hello {
    /// The id of this client, signed if the server signs ids.
    pub id: String,
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
    /// Whether the server knows the messages that it has sent before; absent if it
    /// offered no ticket, or clients only listen.
    pub known: Option<bool>,
    /// How many bytes a frame from the client may have; absent if clients only listen.
    pub max: Option<usize>,
}

/// That messages are missing for a client of `pode.v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The numbers between which they are; absent where it isn't known.
    pub between: Option<(u64, u64)>,
    /// `age`, `lag` or `epoch`.
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
    /// To which message of this client it is a reply; as
    /// [`send`](super::ProtocolClient::send) returned it.
    pub re: Option<u64>,
}

/// What the program of a client learns. Its messages have names, which they keep when
/// their numbers begin anew.
#[derive(Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "a test asks for each message itself"))]
pub(super) enum Told {
    Hello,
    Message(Received<Box<RawValue>>),
    Error(Received<String>),
    Gap(Gap),
    Live,
    Acknowledged(Vec<u64>),
    /// They are sent again, and may be handled twice.
    Renumbered(Vec<u64>),
    /// This one isn't sent.
    Refused(u64),
    /// A frame, as it is: the response hasn't chosen the protocol.
    Plain(String),
}

/// A message that isn't acknowledged.
#[derive(Debug)]
struct Kept {
    name: u64,
    /// None until it is first sent.
    number: Option<u64>,
    /// It may have been handled before, under another number.
    again: bool,
    data: Box<RawValue>,
}

impl Kept {
    fn frame(&self, number: u64) -> String {
        let again = if self.again { AGAIN } else { "" };
        format!(r#"{{"n":{number},{again}"data":{}}}"#, self.data)
    }
}

#[derive(Debug)]
pub(super) struct Machine {
    /// Without the parameter `resume`.
    target: String,
    position: Option<Position>,
    epoch: Option<u64>,
    ticket: Option<String>,
    speaks: bool,
    /// That of this connection.
    hello: Option<Hello>,
    kept: Vec<Kept>,
    /// The names of all that have numbers, in their order.
    numbered: Vec<u64>,
    /// The number before the first of them.
    before: u64,
    /// The last name that was given.
    name: u64,
    pub(super) outgoing: Vec<String>,
    pub(super) told: VecDeque<Told>,
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
            hello: None,
            kept: Vec::new(),
            numbered: Vec::new(),
            before: 0,
            name: 0,
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
        (self.speaks, self.hello) = (false, None);
        if let Some((_, behind)) = reason.split_once("resume=") {
            let end = behind.find(|it: char| !it.is_ascii_hexdigit() && it != '-');
            let position = behind[..end.unwrap_or(behind.len())].parse().ok();
            self.position = position.or(self.position);
        }
    }

    /// Makes this a client that the server doesn't know.
    pub(super) fn lose_ticket(&mut self) {
        self.ticket = None;
    }

    pub(super) fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    pub(super) fn position(&self) -> Option<Position> {
        self.position
    }

    /// Whether the message of this name is still to be acknowledged.
    pub(super) fn keeps(&self, name: u64) -> bool {
        self.kept.iter().any(|kept| kept.name == name)
    }

    /// Sends a message that is handled once; returns its name.
    pub(super) fn send(&mut self, data: Box<RawValue>) -> u64 {
        self.name += 1;
        self.kept.push(Kept { name: self.name, number: None, again: false, data });
        self.send_new();
        self.name
    }

    /// Sends a message that may be lost; tells whether it is sent.
    pub(super) fn send_once(&mut self, data: &RawValue) -> bool {
        let frame = format!(r#"{{"data":{data}}}"#);
        let is_sent = self.takes(frame.len());
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
        if let Some(epoch) = members.read::<String>("epoch")?.filter(|_| between.is_some()) {
            self.epoch = number_of(&epoch);
        }
        let at = between.flatten().map(|(_, to)| to);
        self.come_to(at.or(members.read("at")?).or(members.read("live")?));
        self.ticket = members.read("ticket")?.or(self.ticket.take());
        if let Some(number) = members.read("ack")? {
            self.acknowledge(number);
        }
        let re = members.read::<u64>("re")?.and_then(|number| self.name_of(number));
        let position = self.position.filter(|_| members.has("at"));
        let told = if let Some(data) = members.read("error")? {
            Told::Error(Received { data, position, re })
        } else if let Some(data) = members.read("data")? {
            Told::Message(Received { data, position, re })
        } else if let Some(between) = between {
            Told::Gap(Gap { between, why: members.read("why")?.unwrap_or_default() })
        } else if members.has("live") {
            Told::Live
        } else {
            return Ok(());
        };
        self.told.push_back(told);
        Ok(())
    }

    fn begin(&mut self, hello: Hello) {
        self.epoch = hello.epoch.as_deref().and_then(number_of);
        self.position = None;
        self.come_to(hello.at);
        self.ticket = hello.ticket.clone().or(self.ticket.take());
        let (heard, known) = (hello.heard, hello.known == Some(true));
        self.hello = Some(hello);
        self.told.push_back(Told::Hello);
        if let Some(heard) = heard {
            match known {
                true => self.acknowledge(heard),
                false => self.renumber(),
            }
            if heard > self.last() {
                // A page that was loaded anew has the ticket, but not the numbers.
                (self.before, self.numbered) = (heard, Vec::new());
            }
            let again = self.kept.iter().filter_map(|kept| Some(kept.frame(kept.number?)));
            self.outgoing.extend(again);
        }
        self.send_new();
    }

    fn come_to(&mut self, number: Option<u64>) {
        if let (Some(epoch), Some(number)) = (self.epoch, number) {
            self.position = Some(Position { epoch, number });
        }
    }

    fn acknowledge(&mut self, number: u64) {
        let handled = self.kept.extract_if(.., |kept| kept.number.is_some_and(|it| it <= number));
        let handled: Vec<_> = handled.map(|kept| kept.name).collect();
        if !handled.is_empty() {
            self.told.push_back(Told::Acknowledged(handled));
        }
    }

    /// Nobody knows which of the kept messages were handled: gives them new numbers.
    fn renumber(&mut self) {
        self.before = 0;
        self.numbered.clear();
        for kept in self.kept.iter_mut().filter(|kept| kept.number.is_some()) {
            self.numbered.push(kept.name);
            (kept.number, kept.again) = (Some(self.numbered.len() as u64), true);
        }
        if !self.numbered.is_empty() {
            self.told.push_back(Told::Renumbered(self.numbered.clone()));
        }
    }

    /// Sends what was never sent, or tells that it can't be.
    fn send_new(&mut self) {
        let Some(hello) = &self.hello else { return };
        let numbers = hello.heard.is_some();
        let new = self.kept.iter().position(|kept| kept.number.is_none());
        for mut kept in self.kept.split_off(new.unwrap_or(self.kept.len())) {
            let number = self.last() + 1;
            let frame = kept.frame(number);
            // There must be room to send it once more, too.
            if numbers && self.takes(frame.len() + AGAIN.len()) {
                self.outgoing.push(frame);
                self.numbered.push(kept.name);
                kept.number = Some(number);
                self.kept.push(kept);
            } else {
                self.told.push_back(Told::Refused(kept.name));
            }
        }
    }

    fn takes(&self, bytes: usize) -> bool {
        self.hello.as_ref().and_then(|hello| hello.max).is_some_and(|max| bytes <= max)
    }

    /// Returns the last number that was given.
    fn last(&self) -> u64 {
        self.before + self.numbered.len() as u64
    }

    fn name_of(&self, number: u64) -> Option<u64> {
        let index = number.checked_sub(self.before + 1)?;
        self.numbered.get(usize::try_from(index).ok()?).copied()
    }
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

    use super::*;

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/protocol/client");

    /// A client, with what the program of a dialogue calls its messages.
    struct Talk {
        machine: Machine,
        names: HashMap<u64, Value>,
    }

    impl Talk {
        fn new(client: &Value) -> Talk {
            let path = client["path"].as_str().unwrap_or("/chat");
            let mut machine = Machine::new(path);
            machine.position = client["position"].as_str().map(|it| it.parse().unwrap());
            machine.ticket = client["ticket"].as_str().map(str::to_owned);
            Talk { machine, names: HashMap::new() }
        }

        /// Tells the client what happens; returns what follows. None of a silence, of
        /// which a client of a test knows nothing.
        fn happens(&mut self, step: &Value) -> Option<Vec<Value>> {
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
                let data = RawValue::from_string(data.to_string()).unwrap();
                match step.get("as") {
                    // Its name is known before it is told.
                    Some(name) => {
                        self.names.insert(machine.name + 1, name.clone());
                        machine.send(data);
                    }
                    None => drop(machine.send_once(&data)),
                }
            } else if let Some(code) = step.get("closed") {
                let reason = step["reason"].as_str().unwrap_or_default().to_owned();
                machine.close(&reason);
                let code = code.as_u64().unwrap().try_into().unwrap();
                follows.push(json!({ "back": Closed { code, reason }.comes_back() }));
            } else {
                assert!(step.get("silence").is_some(), "nobody knows this step: {step}");
                return None;
            }
            for frame in self.machine.outgoing.drain(..) {
                follows.push(json!({ "client": serde_json::from_str::<Value>(&frame).unwrap() }));
            }
            let told = std::mem::take(&mut self.machine.told);
            follows.extend(told.iter().map(|told| json!({ "told": self.told(told) })));
            Some(follows)
        }

        fn told(&self, told: &Told) -> Value {
            let names = |them: &[u64]| them.iter().map(|name| self.names[name].clone()).collect();
            let with_re = |mut told: Value, re: Option<u64>| {
                if let Some(name) = re {
                    told["re"] = self.names[&name].clone();
                }
                told
            };
            match told {
                Told::Hello => {
                    let hello = self.machine.hello().unwrap();
                    match hello.resumed {
                        Some(resumed) => json!({ "hello": { "id": hello.id, "resumed": resumed } }),
                        None => json!({ "hello": { "id": hello.id } }),
                    }
                }
                Told::Message(it) => {
                    json!({ "message": with_re(json!({ "data": it.data }), it.re) })
                }
                Told::Error(it) => json!({ "error": with_re(json!({ "error": it.data }), it.re) }),
                Told::Gap(gap) => json!({ "gap": gap.between, "why": gap.why }),
                Told::Live => json!("live"),
                Told::Acknowledged(them) => json!({ "acknowledged": Value::Array(names(them)) }),
                Told::Renumbered(them) => json!({ "renumbered": Value::Array(names(them)) }),
                Told::Refused(name) => json!({ "refused": self.names[name] }),
                Told::Plain(text) => json!({ "text": text }),
            }
        }
    }

    /// Order counts among steps of one name.
    fn by_name(mut steps: Vec<Value>) -> Vec<Value> {
        let name = |step: &Value| step.as_object().unwrap().keys().next().unwrap().clone();
        steps.retain(|step| step.get("nothing").is_none());
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

    fn hold(dialogue: &Value) {
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
            let Some(more) = talk.happens(step) else { return };
            follows.extend(more);
        }
        assert_eq!(by_name(follows), by_name(expected), "{name}, at its end");
    }

    #[test]
    fn it_does_as_the_dialogues_for_clients_say() {
        let mut count = 0;
        for file in Path::new(FOLDER).read_dir().unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            for dialogue in serde_json::from_str::<Vec<Value>>(&text).unwrap() {
                let each = dialogue.get("each").and_then(Value::as_array).cloned();
                for value in each.unwrap_or_else(|| vec![json!("EACH")]) {
                    hold(&filled(&dialogue, &value));
                    count += 1;
                }
            }
        }
        assert!(count > 100, "{count}");
    }
}
