//! Clients that move between nodes, of `pode.v1` (docs/protocol.md) and plain ones.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::dice::Dice;
use crate::present::{Present, apply};
use crate::record::{Event, Trace};
use crate::world::{Phase, Place, World, lock};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a handshake may take: a node asks others for a client's messages.
const HANDSHAKE: Duration = Duration::from_secs(30);

/// How long nothing may be heard: two beats of five seconds, and five more.
const SILENCE: Duration = Duration::from_secs(15);

/// How many messages wait to be acknowledged at most.
const MOST_KEPT: usize = 40;

/// What it has heard since it began, which others look at.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) trace: Trace,
    /// Messages that end a seed.
    pub(crate) markers: BTreeSet<String>,
    /// Whether its connection has brought something from the signal.
    pub(crate) is_live: bool,
    pub(crate) epoch: String,
    /// How many of its messages aren't acknowledged.
    pub(crate) kept: usize,
    /// By which id others know it, if it is present.
    pub(crate) me: Option<String>,
    /// Who is present, as its connection has told.
    pub(crate) present: Option<Present>,
}

pub(crate) struct ChaosClient {
    world: Arc<World>,
    dice: Dice,
    heard: Arc<Mutex<Heard>>,
    path: String,
    is_plain: bool,
    /// Whether it sends numbered messages.
    sends: bool,
    /// Whether it is present.
    attends: bool,
    name: String,
    position: Option<(String, u64)>,
    ticket: String,
    id: String,
    /// The node that it was at last.
    last: String,
    /// Whether it has given a handshake up: that node may take what others know of it
    /// whenever it gets to that.
    has_given_up: bool,
    /// What isn't acknowledged yet.
    kept: BTreeSet<u64>,
    number: u64,
    sent: u64,
    /// Up to which number messages may have been handled before.
    repeated: u64,
}

type Socket = WebSocketStream<TcpStream>;

impl ChaosClient {
    pub(crate) fn new(
        world: &Arc<World>,
        name: String,
        path: &str,
        is_plain: bool,
        attends: bool,
    ) -> ChaosClient {
        let trace = Trace {
            name: name.clone(),
            path: path.to_owned(),
            is_plain,
            events: Vec::new(),
            sent: 0,
            acknowledged: 0,
            again: BTreeSet::new(),
        };
        let purpose = name.bytes().fold(100, |hash, byte| hash * 31 + u64::from(byte));
        let heard = Heard {
            trace,
            markers: BTreeSet::new(),
            is_live: false,
            epoch: String::new(),
            kept: 0,
            me: None,
            present: None,
        };
        ChaosClient {
            world: Arc::clone(world),
            dice: Dice::new(world.seed, purpose & 0xffff),
            heard: Arc::new(Mutex::new(heard)),
            path: path.to_owned(),
            is_plain,
            sends: path == "/chat" && !is_plain,
            attends,
            name,
            position: None,
            ticket: String::new(),
            id: String::new(),
            last: String::new(),
            has_given_up: false,
            kept: BTreeSet::new(),
            number: 0,
            sent: 0,
            repeated: 0,
        }
    }

    pub(crate) fn heard(&self) -> Arc<Mutex<Heard>> {
        Arc::clone(&self.heard)
    }

    /// Goes from node to node, until the seed is over.
    pub(crate) async fn run(mut self) {
        while self.world.phase() != Phase::Over {
            let node = self.dice.below(crate::plan::NODES as u64) as usize;
            if let Some(place) = self.world.place(node)
                && let Some(socket) = self.connect(&place).await
            {
                self.visit(socket, &place).await;
                let mut heard = lock(&self.heard);
                (heard.is_live, heard.me, heard.present) = (false, None, None);
            }
            self.rest().await;
        }
    }

    /// Is away: whoever is present sometimes for so long that it leaves.
    async fn rest(&mut self) {
        let leaves =
            self.attends && self.world.phase() == Phase::Running && self.dice.below(4) == 0;
        let (least, most) = if leaves { (1_500, 4_000) } else { (20, 400) };
        sleep(Duration::from_millis(self.dice.between(least, most))).await;
        if leaves && !self.sends && self.dice.below(2) == 0 {
            // Comes back as another one.
            self.position = None;
            self.ticket.clear();
        }
    }

    fn note(&self, event: Event) {
        let mut heard = lock(&self.heard);
        heard.is_live |= matches!(event, Event::Message { .. } | Event::At { .. });
        heard.trace.events.push((self.world.now(), event));
    }

    fn wrong(&self, what: &str) {
        self.world.wrong(format!("{}: {what}", self.name));
    }

    async fn connect(&mut self, place: &Place) -> Option<Socket> {
        let connected = timeout(CONNECT, TcpStream::connect(("127.0.0.1", place.port))).await;
        let stream = connected.ok()?.ok()?;
        let _ = stream.set_nodelay(true);
        if self.last != place.life {
            // What it knows of this client may be taken there from now on, and die there.
            self.last.clear();
        }
        let mut url = format!("ws://127.0.0.1:{}{}?", place.port, self.path);
        if self.attends {
            url += &format!("name={}&", self.name);
        }
        if let Some((epoch, at)) = &self.position {
            url += &format!("resume={epoch}-{at}");
        }
        let mut request = url.into_client_request().ok()?;
        if !self.is_plain {
            let offered = match self.ticket.is_empty() {
                true => "pode.v1".to_owned(),
                false => format!("pode.v1, pode.ticket.{}", self.ticket),
            };
            let offered = HeaderValue::from_str(&offered).ok()?;
            request.headers_mut().insert("sec-websocket-protocol", offered);
        }
        let shaken = timeout(HANDSHAKE, client_async(request, stream)).await;
        self.has_given_up |= !matches!(shaken, Ok(Ok(_)));
        let (socket, response) = shaken.ok()?.ok()?;
        if self.is_plain {
            let position = response.headers().get("x-pode-signal-position");
            let told = position.and_then(|position| {
                let (epoch, at) = position.to_str().ok()?.split_once('-')?;
                Some((epoch.to_owned(), at.parse().ok()?))
            });
            let resumed = self.position.is_some().then_some(true);
            let Some((epoch, at)) = self.position.clone().or(told) else {
                self.wrong("the handshake tells no position");
                return None;
            };
            self.position = Some((epoch.clone(), at));
            self.note(Event::Opened { life: place.life.clone(), epoch, at, resumed });
        }
        Some(socket)
    }

    /// Stays for some time.
    async fn visit(&mut self, mut socket: Socket, place: &Place) {
        let mut phases = self.world.phases();
        let leave = Instant::now() + Duration::from_millis(self.dice.between(500, 12_000));
        let mut turns = interval(Duration::from_millis(self.dice.between(300, 900)));
        let mut is_welcome = self.is_plain;
        loop {
            let phase = *phases.borrow_and_update();
            tokio::select! {
                message = timeout(SILENCE, socket.next()) => match message {
                    Ok(Some(Ok(Message::Text(text)))) if self.is_plain => self.hear_plain(&text),
                    Ok(Some(Ok(Message::Text(text)))) => {
                        let Ok(object) = serde_json::from_str::<Value>(&text) else {
                            return self.wrong(&format!("no JSON: {text}"));
                        };
                        if !is_welcome {
                            is_welcome = true;
                            if !self.welcome(&object, place, &mut socket).await {
                                return;
                            }
                        } else {
                            self.hear(&object);
                        }
                    }
                    Ok(Some(Ok(Message::Close(close)))) => {
                        let (code, reason) = close.map_or((1005, String::new()), |close| {
                            (close.code.into(), close.reason.to_string())
                        });
                        if self.is_plain && [1013, 4410].contains(&code) {
                            self.position = None;
                        }
                        self.note(Event::Closed { code, reason });
                        // Ends the connection, which the other side waits for.
                        let _ = timeout(CONNECT, socket.next()).await;
                        return;
                    }
                    Ok(Some(Ok(_))) => {}
                    Ok(Some(Err(_)) | None) | Err(_) => return,
                },
                () = sleep_until(leave), if phase == Phase::Running => {
                    return self.leave(socket).await;
                }
                _ = turns.tick(), if self.sends && is_welcome && phase < Phase::Quiet => {
                    if self.kept.len() < MOST_KEPT && !self.say(&mut socket).await {
                        return;
                    }
                }
                changed = phases.changed() => {
                    if changed.is_err() || *phases.borrow() == Phase::Over {
                        return;
                    }
                }
            }
        }
    }

    async fn leave(&mut self, mut socket: Socket) {
        match self.dice.below(3) {
            0 => drop(timeout(CONNECT, socket.close(None)).await),
            1 => {}
            // As when the network has lost it: nobody reads what comes.
            _ => {
                tokio::spawn(async move {
                    sleep(Duration::from_secs(3)).await;
                    drop(socket);
                });
            }
        }
    }

    fn hear_plain(&mut self, text: &str) {
        let Ok(text) = serde_json::from_str::<String>(text) else {
            return self.wrong(&format!("no message: {text}"));
        };
        if let Some((_, at)) = &mut self.position {
            *at += 1;
        }
        self.take(None, text);
    }

    fn take(&self, number: Option<u64>, text: String) {
        if text.starts_with("marker.") {
            lock(&self.heard).markers.insert(text.clone());
        }
        self.note(Event::Message { number, text });
    }

    /// Reads the hello, and sends again what may not have been handled.
    async fn welcome(&mut self, hello: &Value, place: &Place, socket: &mut Socket) -> bool {
        let (Some(epoch), Some(at), Some(ticket), Some(id)) = (
            hello["epoch"].as_str(),
            hello["at"].as_u64(),
            hello["ticket"].as_str(),
            hello["id"].as_str(),
        ) else {
            self.wrong(&format!("this hello lacks something: {hello}"));
            return false;
        };
        self.note(Event::Told(hello.to_string()));
        let (life, resumed) = (place.life.clone(), hello["resumed"].as_bool());
        self.note(Event::Opened { life, epoch: epoch.to_owned(), at, resumed });
        if self.position.is_some() != resumed.is_some() {
            self.wrong(&format!("it is told whether it resumes: {hello}"));
        }
        let is_same = self.id == id && self.last == place.life && !self.has_given_up;
        if self.sends && is_same && hello["known"] == false {
            self.wrong(&format!("{} has forgotten it: {hello}", place.life));
        }
        if self.attends {
            let me = hello["me"].as_str();
            lock(&self.heard).me = me.map(str::to_owned);
        }
        ticket.clone_into(&mut self.ticket);
        id.clone_into(&mut self.id);
        self.last.clone_from(&place.life);
        self.be_at(Some(epoch), Some(at));
        if !self.sends {
            return true;
        }
        if hello["known"] != true {
            self.repeated = self.sent;
        } else if let Some(heard) = hello["heard"].as_u64() {
            self.forget(heard);
        }
        for number in self.kept.clone() {
            if !self.send(number, socket).await {
                return false;
            }
        }
        true
    }

    fn be_at(&mut self, epoch: Option<&str>, at: Option<u64>) {
        let (before, was_at) = self.position.take().unwrap_or_default();
        let epoch = epoch.map_or(before, str::to_owned);
        lock(&self.heard).epoch.clone_from(&epoch);
        self.position = Some((epoch, at.unwrap_or(was_at)));
    }

    fn hear(&mut self, object: &Value) {
        let told = ["here", "join", "leave", "ack"];
        if told.into_iter().any(|what| object.get(what).is_some()) {
            self.note(Event::Told(object.to_string()));
        }
        if !apply(&mut lock(&self.heard).present, object) {
            self.wrong(&format!("it mustn't be told this of who is present: {object}"));
        }
        let epoch = object["epoch"].as_str();
        let at = object["at"].as_u64().or(object["live"].as_u64());
        if let Some(ticket) = object["ticket"].as_str() {
            ticket.clone_into(&mut self.ticket);
        }
        if let Some(gap) = object.get("gap") {
            let (Some(from), Some(to)) = (gap[0].as_u64(), gap[1].as_u64()) else {
                return self.wrong(&format!("it is told of a gap without positions: {object}"));
            };
            let why = object["why"].as_str().unwrap_or_default().to_owned();
            self.be_at(epoch, Some(to));
            self.note(Event::Gap { from, to, why });
        } else if let (Some(text), Some(at)) = (object["data"].as_str(), at) {
            self.be_at(epoch, Some(at));
            self.take(Some(at - 1), text.to_owned());
        } else if let Some(at) = at {
            self.be_at(epoch, Some(at));
            self.note(Event::At { at, epoch: epoch.map(str::to_owned) });
        }
        if let Some(number) = object["ack"].as_u64() {
            if number > self.sent {
                self.wrong(&format!("{object}, but {} was sent last", self.sent));
            }
            self.forget(number);
        }
    }

    fn forget(&mut self, number: u64) {
        self.kept = self.kept.split_off(&(number + 1));
        let mut heard = lock(&self.heard);
        heard.trace.acknowledged = heard.trace.acknowledged.max(number);
        heard.kept = self.kept.len();
    }

    async fn say(&mut self, socket: &mut Socket) -> bool {
        self.number += 1;
        self.kept.insert(self.number);
        lock(&self.heard).kept = self.kept.len();
        self.send(self.number, socket).await
    }

    async fn send(&mut self, number: u64, socket: &mut Socket) -> bool {
        self.sent = self.sent.max(number);
        let mut object = json!({ "n": number, "data": { "who": self.name, "number": number } });
        {
            let trace = &mut lock(&self.heard).trace;
            trace.sent = self.sent;
            if number <= self.repeated {
                object["again"] = true.into();
                trace.again.insert(number);
            }
        }
        let sent = socket.send(Message::text(object.to_string()));
        matches!(timeout(CONNECT, sent).await, Ok(Ok(())))
    }
}
