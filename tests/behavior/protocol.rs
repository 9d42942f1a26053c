//! The protocol `pode.v1`, by dialogues in no programming language: `tests/protocol/`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use pode::prelude::*;
use pode::{Protocol, RawMessage, RunningServer};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::support::{start, within};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/protocol");

pode_server! {
    server spoken(work: Arc<Work>);
    endpoint ws "127.0.0.1:0";
    state WORK: Arc<Work> = work;
    signal CHAT: Line -> Value = "/chat" { history_messages: 10, max_message_bytes: 1000 } => say;
    signal ASKED: Value -> Value = "/ask" { history_messages: 10, max_message_bytes: 1000 } => answer;
    signal DONE: Value -> Value = "/work" { history_messages: 10, max_message_bytes: 1000 } => labor;
    signal LIMITED: Value -> Value = "/limited" {
        history_messages: 10, max_message_bytes: 1000, messages_per_second: 1
    } => answer;
    signal TICKS: Value -> Value = "/ticks" { max_message_bytes: 1000 } => answer;
    signal NEWS: Value = "/news" { history_messages: 10 };
    signal REPLAYED: Value = "/replayed" { history_messages: 10, replay: Messages(2) };
    signal LATEST: Value = "/latest" { history_messages: 1, history_bytes: 1 };
    signal GREETED: Value = "/greeted" { history_messages: 1, history_bytes: 1 };
    signal KEYS: String = "/keys" {
        history_messages: 2, replay: All, latest_by: |text| text[..1].to_owned()
    };
    signal PRESENT: Value = "/present" {
        history_messages: 10, presence: 2, presence_grace: Duration::ZERO
    };
    signal CLUB: Value = "/club" { max_clients: 1 };
    signal BEATS: Value = "/beats" { history_messages: 10, heartbeat: 1s };
    signal PULSE: Value = "/pulse" { heartbeat: 1s };
    signal RAW: RawMessage -> RawMessage = "/raw" => echo;
    signal MEASURED: RawMessage -> Value = "/measure" { max_message_bytes: 1000 } => measure;
    on connect GREETED => greet;
    on connect PRESENT => async |event: ConnectEvent<Value>| {
        event.present(event.query().split('&').next().unwrap_or_default())
    };
}

#[derive(Deserialize)]
struct Line {
    text: String,
}

/// What `/work` has done, and what those wait for who are told to wait.
#[derive(Debug)]
struct Work {
    done: AtomicU32,
    released: Semaphore,
}

impl Work {
    fn new() -> Arc<Work> {
        Arc::new(Work { done: AtomicU32::new(0), released: Semaphore::new(0) })
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

async fn say(event: SignalEvent<Value>, line: Line) -> Result<(), BoxError> {
    if line.text.is_empty() {
        return Err(EventError::new(400, "say something").into());
    }
    Ok(event.send(CHAT, &json!({ "text": line.text })).await?)
}

async fn answer(event: SignalEvent<Value>, asked: Value) -> Result<(), BoxError> {
    if asked == "fail" {
        return Err(EventError::new(400, "it failed").into());
    }
    Ok(event.reply(&asked).await?)
}

async fn labor(event: SignalEvent<Value>, task: Value) -> Result<(), BoxError> {
    let work = event.state(WORK);
    if task == "wait" {
        event.reply(&"waiting".into()).await?;
        work.released.acquire().await?.forget();
    }
    let done = work.done.fetch_add(1, Ordering::Relaxed) + 1;
    let reply = match event.may_be_repeated() {
        true => json!([done, task, "again"]),
        false => json!([done, task]),
    };
    Ok(event.reply(&reply).await?)
}

async fn greet(event: ConnectEvent<Value>) -> Result<(), EventError> {
    if event.query() == "stranger" {
        return Err(EventError::new(401, "who are you?"));
    }
    event.greet(&event.protocols().collect())
}

async fn echo(event: SignalEvent<RawMessage>, message: RawMessage) -> Result<(), SendError> {
    event.reply(&message).await
}

async fn measure(event: SignalEvent<Value>, message: RawMessage) -> Result<(), SendError> {
    let bytes = match message {
        RawMessage::Text(text) => text.len(),
        RawMessage::Binary(bytes) => bytes.len(),
    };
    event.reply(&bytes.into()).await
}

/// A client in another language, written by the document alone.
#[tokio::test]
async fn a_client_in_python_understands() {
    let server = start(spoken(Work::new())).await;
    let mut run = Command::new("python3");
    run.arg(format!("{FOLDER}/run_client.py"));
    run.arg(server.address(Protocol::Ws).unwrap().to_string());
    let output = within(run.kill_on_drop(true).output(), "the client").await;
    let output = output.expect("there is a python3");
    let [said, mistakes] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    assert!(output.status.success(), "{said}{mistakes}");
    server.stop().await;
}

#[tokio::test]
async fn the_server_does_as_the_dialogues_say() {
    let (mut dialogues, mut count) = (JoinSet::new(), 0);
    for file in Path::new(FOLDER).join("server").read_dir().unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        for dialogue in serde_json::from_str::<Vec<Value>>(&text).unwrap() {
            let each = dialogue.get("each").and_then(Value::as_array).cloned();
            for value in each.unwrap_or_else(|| vec![json!("EACH")]) {
                count += 1;
                let steps = filled(&dialogue["steps"], &value);
                let name = format!("{}, {value}", dialogue["name"]);
                dialogues.spawn(async move { (name, hold(steps).await) });
            }
        }
    }
    let held = dialogues.join_all().await;
    let wrong: Vec<_> =
        held.into_iter().filter_map(|(name, held)| Some((name, held.err()?))).collect();
    let shown = wrong.iter().map(|(name, error)| format!("{name}:\n    {error}\n"));
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), shown.collect::<String>());
    assert!(count > 50, "{count}");
}

/// Puts a value wherever `EACH` stands.
fn filled(steps: &Value, value: &Value) -> Value {
    match steps {
        Value::String(text) if text == "EACH" => value.clone(),
        Value::String(text) => match value.as_str() {
            Some(value) => text.replace("EACH", value).into(),
            None => steps.clone(),
        },
        Value::Array(steps) => steps.iter().map(|it| filled(it, value)).collect(),
        Value::Object(step) => {
            step.iter().map(|(name, it)| (name.clone(), filled(it, value))).collect()
        }
        other => other.clone(),
    }
}

type Held = Result<(), String>;

/// Holds a dialogue with a server of its own.
async fn hold(steps: Value) -> Held {
    let work = Work::new();
    let mut talk = Talk {
        server: start(spoken(Arc::clone(&work))).await,
        work,
        peers: HashMap::new(),
        holes: Holes::default(),
    };
    for step in steps.as_array().expect("there are steps") {
        talk.step(step).await.map_err(|error| format!("{step}: {error}"))?;
    }
    talk.peers.clear();
    talk.server.stop().await;
    Ok(())
}

struct Talk {
    server: RunningServer,
    work: Arc<Work>,
    /// The clients, by the names that the dialogue gives them.
    peers: HashMap<String, Peer>,
    holes: Holes,
}

enum Peer {
    /// Has sent its handshake.
    Connecting(TcpStream),
    /// What stood in the last frame may come next.
    Connected(Box<WebSocketStream<TcpStream>>, Option<String>),
}

impl Talk {
    async fn step(&mut self, step: &Value) -> Held {
        let by = step["by"].as_str().unwrap_or("a").to_owned();
        if let Some(connect) = step.get("connect") {
            let stream = self.begin(connect).await;
            self.peers.insert(by, Peer::Connecting(stream));
        } else if let Some(expected) = step.get("response") {
            let Some(Peer::Connecting(mut stream)) = self.peers.remove(&by) else {
                return Err("it isn't connecting".to_owned());
            };
            let got = response(&mut stream, expected).await;
            same(expected, &got)?;
            let stream = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
            self.peers.insert(by, Peer::Connected(Box::new(stream), None));
        } else if let Some(program) = step.get("program") {
            self.program(program).await;
        } else if step.get("cut").is_some() {
            self.peers.remove(&by);
        } else {
            let peer = self.peers.get_mut(&by).ok_or("there is no such client")?;
            if let Some(frame) = step.get("client") {
                for _ in 0..step["times"].as_u64().unwrap_or(1) {
                    peer.send(Message::text(text(frame))).await;
                }
            } else if let Some(bytes) = step.get("bytes") {
                peer.send(Message::binary(text(bytes).into_bytes())).await;
            } else if let Some(expected) = step.get("server") {
                let until = step.get("until").is_some();
                while let Err(error) = self.holes.frame(step, expected, &peer.next_text().await?) {
                    until.then_some(()).ok_or(error)?;
                }
            } else if let Some(code) = step.get("closed") {
                same(code, &peer.closed().await?.into())?;
            } else {
                return Err("nobody knows this step".to_owned());
            }
        }
        Ok(())
    }

    /// Sends a handshake.
    async fn begin(&self, connect: &Value) -> TcpStream {
        let address = self.server.address(Protocol::Ws).unwrap();
        let mut headers = json!({
            "Host": address.to_string(), "Connection": "Upgrade", "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        });
        for (name, value) in connect["headers"].as_object().into_iter().flatten() {
            headers[name] = value.clone();
        }
        let mut request = format!("GET {} HTTP/1.1\r\n", self.holes.fill(&connect["path"]));
        for (name, value) in headers.as_object().unwrap() {
            request += &format!("{name}: {}\r\n", text(value));
        }
        for offered in connect["offer"].as_array().into_iter().flatten() {
            request += &format!("Sec-WebSocket-Protocol: {}\r\n", self.holes.fill(offered));
        }
        let stream = within(TcpStream::connect(address), "a connection").await;
        let mut stream = stream.expect("the server accepts");
        stream.write_all((request + "\r\n").as_bytes()).await.expect("the server reads");
        stream
    }

    /// Does what the server's program is to do.
    async fn program(&mut self, program: &Value) {
        if program.get("restart").is_some() {
            let newer = start(spoken(Arc::clone(&self.work))).await;
            // It ends once its clients have.
            tokio::spawn(std::mem::replace(&mut self.server, newer).stop());
            return;
        }
        if program.get("release").is_some() {
            self.work.released.add_permits(1);
            return;
        }
        let signals = self.server.signals();
        let to = program.get("to").map(|to| self.holes.fill(to).parse().expect("this is an id"));
        macro_rules! at {
            ($($path:literal: $signal:ident),*) => {
                match text(&program["at"]).as_str() {
                    $($path => if let Some(code) = program["close"].as_u64() {
                        signals.clients($signal).close_all(code as u16, "").await
                    } else if let Some(json) = program["send_text"].as_str() {
                        let json = RawValue::from_string(json.to_owned()).unwrap();
                        signals.send_json($signal, &json).await
                    } else {
                        match to {
                            Some(id) => signals.send($signal, &program["send"]).to_client(&id).await,
                            None => signals.send($signal, &program["send"]).await,
                        }
                    },)*
                    path => panic!("there is no signal at {path}"),
                }
            };
        }
        if program["at"] == "/keys" {
            let sent = match program["remove"].as_str() {
                Some(key) => signals.remove(KEYS, key).await,
                None => signals.send(KEYS, &text(&program["send"])).await,
            };
            return sent.expect("the program may do that");
        }
        at!(
            "/chat": CHAT, "/ask": ASKED, "/work": DONE, "/limited": LIMITED, "/ticks": TICKS,
            "/news": NEWS, "/replayed": REPLAYED, "/latest": LATEST, "/greeted": GREETED,
            "/present": PRESENT, "/club": CLUB, "/beats": BEATS, "/pulse": PULSE
        )
        .expect("the program may do that");
    }
}

impl Peer {
    async fn send(&mut self, message: Message) {
        match self {
            Peer::Connected(stream, _) => {
                within(stream.send(message), "room").await.expect("the connection is open");
            }
            Peer::Connecting(stream) => {
                // A short text, masked by zeros.
                let text = message.into_text().unwrap();
                let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
                frame.extend(text.as_bytes());
                stream.write_all(&frame).await.expect("the connection is open");
            }
        }
    }

    async fn next(&mut self) -> Option<Message> {
        let Peer::Connected(stream, _) = self else { return None };
        loop {
            match within(stream.next(), "a frame").await {
                Some(Ok(Message::Ping(_))) => {}
                next => return next?.ok(),
            }
        }
    }

    async fn next_text(&mut self) -> Result<String, String> {
        if let Peer::Connected(_, acknowledgement) = self
            && let Some(acknowledgement) = acknowledgement.take()
        {
            return Ok(acknowledgement);
        }
        let text = match self.next().await {
            Some(Message::Text(text)) => text.to_string(),
            other => return Err(format!("got {other:?}")),
        };
        // Whether it stands in a reply depends on how fast the handler returns.
        let Some((answer, number)) = apart(&text) else { return Ok(text) };
        if let Peer::Connected(_, acknowledgement) = self {
            *acknowledgement = Some(format!(r#"{{"ack":{number}}}"#));
        }
        Ok(answer)
    }

    async fn closed(&mut self) -> Result<u16, String> {
        if let Peer::Connected(_, Some(acknowledgement)) = self {
            return Err(format!("got {acknowledgement}"));
        }
        match self.next().await {
            Some(Message::Close(frame)) => {
                // What ends the connection.
                self.next().await;
                Ok(frame.map_or(1005, |frame| frame.code.into()))
            }
            None => Ok(1006),
            other => Err(format!("got {other:?}")),
        }
    }
}

/// Takes the acknowledgement out of a reply or an error.
fn apart(text: &str) -> Option<(String, u64)> {
    let end = text.find(r#""data":"#).or_else(|| text.find(r#""error":"#))?;
    let (before, behind) = text[..end].split_once(r#""ack":"#)?;
    let (number, behind) = behind.split_once(',')?;
    Some((format!("{before}{behind}{}", &text[end..]), number.parse().ok()?))
}

/// Reads what a response says of all that is expected.
async fn response(stream: &mut TcpStream, expected: &Value) -> Value {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(stream.read_u8(), "the response").await.expect("the server answers"));
    }
    let head = String::from_utf8(head).unwrap();
    let names =
        [("protocol", "sec-websocket-protocol"), ("extensions", "sec-websocket-extensions")];
    let mut got = json!({ "status": head[9..12].parse::<u16>().unwrap() });
    for (name, header) in names.iter().filter(|(name, _)| expected.get(name).is_some()) {
        let headers = head.lines().filter_map(|line| line.split_once(": "));
        let found: Vec<_> = headers.filter(|(it, _)| it.eq_ignore_ascii_case(header)).collect();
        got[name] = match found[..] {
            [] => Value::Null,
            [(_, value)] => value.into(),
            _ => json!(found),
        };
    }
    got
}

/// What the names stand for that a dialogue gives to what only the server knows.
#[derive(Default)]
struct Holes(HashMap<String, Value>);

impl Holes {
    /// Compares, and learns what a `<name>` stands for that is new.
    fn fit(&mut self, expected: &Value, got: &Value) -> bool {
        match (expected, got) {
            (Value::String(name), _) if name.starts_with('<') && name.ends_with('>') => {
                self.0.entry(name.clone()).or_insert_with(|| got.clone()) == got
            }
            (Value::Array(expected), Value::Array(got)) => {
                expected.len() == got.len()
                    && expected.iter().zip(got).all(|(it, got)| self.fit(it, got))
            }
            (Value::Object(expected), Value::Object(got)) => {
                let mut members = expected.iter();
                expected.len() == got.len()
                    && members.all(|(name, it)| {
                        let name = self.fill(&Value::from(&**name));
                        got.get(&name).is_some_and(|got| self.fit(it, got))
                    })
            }
            _ => expected == got,
        }
    }

    /// Compares a frame with what is expected.
    fn frame(&mut self, step: &Value, expected: &Value, got: &str) -> Held {
        let is_so = match expected {
            Value::String(text) => text == got,
            _ => {
                let has = step["has"].as_str().unwrap_or_default();
                got.contains(has) && self.fit(expected, &read(got)?)
            }
        };
        if is_so { Ok(()) } else { Err(format!("got {got}; {:?}", self.0)) }
    }

    /// Returns a text with what its `<names>` stand for.
    fn fill(&self, value: &Value) -> String {
        let known = self.0.iter();
        known.fold(text(value), |text, (name, value)| text.replace(name, &self::text(value)))
    }
}

/// Returns a text as it is, and anything else as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn read(json: &str) -> Result<Value, String> {
    let frame: Value = serde_json::from_str(json).map_err(|error| format!("{error}: {json}"))?;
    if let Some(ticket) = frame.get("ticket") {
        let ticket = ticket.as_str().unwrap_or_default();
        let is_sound = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
        if !(1..=512).contains(&ticket.len()) || !ticket.chars().all(is_sound) {
            return Err(format!("this is no ticket: {json}"));
        }
    }
    Ok(frame)
}

fn same(expected: &Value, got: &Value) -> Held {
    if expected == got { Ok(()) } else { Err(format!("got {got}")) }
}
