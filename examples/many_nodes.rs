//! A chat on two nodes that are one server: kill one, and the page goes on at the other.
//!
//! Start it, open <http://127.0.0.1:8101/> and <http://127.0.0.1:8102/>, each served by
//! a node of its own, and kill nodes: by the button, or by the commands that it prints.
//! What dies is started anew after three seconds. `redis-server` must be installed. The
//! page and its script are in the folder `many_nodes` next to this file, and there is a
//! `compose.yaml`, which has HAProxy choose the node.
//!
//! A node is this program with the environment variables of [`Settings`]. Without them,
//! it starts a Redis and two nodes.

use std::ffi::OsStr;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{env, io, process, thread};

use pode::prelude::*;

pode_server! {
    /// A chat, on as many nodes as there are.
    pub server many_nodes(settings: Settings) { send_timeout: 5s };

    views  "examples/many_nodes/views";
    public "examples/many_nodes/public";

    backplane redis &settings.redis_url;

    endpoint http settings.address.as_str();
    endpoint ws   settings.address.as_str();

    state NODES: Vec<String> = settings.nodes.clone();
    state NAME:  String      = settings.name.clone();
    state TICKS: AtomicU64   = AtomicU64::new(0);

    // A page of one node goes on at another one.
    signal CHAT: Say -> Said = "/chat" {
        history_messages: 1_000,
        messages_per_second: 10,
        max_message_bytes: 4096,
        max_clients: 1_000,
        origins: pages_of(settings.nodes.iter().map(|node| format!("http://{node}"))),
    } => hear;
    on connect CHAT => welcome;

    route GET "/" => index;

    // Runs on each node, so each ticks by itself.
    timer "tick" every 500ms => tick;
}

/// What a node is told by the environment.
struct Settings {
    /// `ADDRESS`: where it listens.
    address: String,
    /// `NAME`: what pages call it; its address if that is empty.
    name: String,
    /// `REDIS_URL`: what carries its messages.
    redis_url: String,
    /// `NODES`: at which addresses a page finds a node; only at its own if it is empty.
    nodes: Vec<String>,
}

/// A message from a page.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Say {
    Text(String),
    Die,
}

/// A message to pages.
#[derive(Serialize)]
#[serde(tag = "said", rename_all = "snake_case")]
enum Said {
    /// To one that has connected: which node it has.
    Welcome {
        node: String,
        process: u32,
    },
    Text {
        node: String,
        text: String,
    },
    /// Each node counts what it sends, so a page sees whether it has missed any.
    Tick {
        node: String,
        process: u32,
        count: u64,
    },
}

#[derive(Serialize, View)]
#[view("index", folder = "examples/many_nodes/views")]
struct Index {
    nodes: String,
}

async fn index(event: WebEvent) -> Index {
    Index { nodes: event.state(NODES).join(" ") }
}

async fn welcome(event: ConnectEvent<Said>) -> Result<(), EventError> {
    event.greet(&Said::Welcome { node: event.state(NAME).clone(), process: process::id() })
}

async fn hear(event: SignalEvent<Said>, say: Say) -> Result<(), SendError> {
    let node = event.state(NAME).clone();
    match say {
        Say::Text(text) => event.send(CHAT, &Said::Text { node, text }).await,
        // As a crash: nobody is told.
        Say::Die => process::exit(1),
    }
}

async fn tick(event: TimerEvent) -> Result<(), SendError> {
    let (node, ticks) = (event.state(NAME).clone(), event.state(TICKS));
    let count = ticks.load(Ordering::Relaxed) + 1;
    event.send(CHAT, &Said::Tick { node, process: process::id(), count }).await?;
    // Only what was sent counts.
    ticks.store(count, Ordering::Relaxed);
    Ok(())
}

const ADDRESSES: [&str; 2] = ["127.0.0.1:8101", "127.0.0.1:8102"];
const REDIS: (&str, u16) = ("127.0.0.1", 8103);

/// How long what has died stays away.
const AWAY: Duration = Duration::from_secs(3);

/// Starts a Redis and the nodes, and starts each anew when it has died.
fn keep_all() -> pode::Result {
    if Command::new("redis-server").arg("--version").output().is_err() {
        eprintln!(
            "`redis-server` is missing: install it, by `apt-get install redis-server` or \
             `brew install redis`, and start this again"
        );
        process::exit(1);
    }
    let mut redis = ending_with_this("redis-server");
    redis.args(["--bind", REDIS.0, "--port", &REDIS.1.to_string()]);
    // Only in memory: when it dies, what it had is lost, and pages are told.
    redis.args(["--save", "", "--appendonly", "no", "--loglevel", "warning"]);
    thread::scope(|all| {
        all.spawn(|| keep("Redis", redis));
        // Nodes wait for it, but not without a complaint.
        while TcpStream::connect(REDIS).is_err() {
            thread::sleep(Duration::from_millis(50));
        }
        for address in ADDRESSES {
            // This program, once more.
            let mut arguments = env::args_os();
            let mut node = ending_with_this(arguments.next().unwrap_or_default());
            node.args(arguments).env("ADDRESS", address).env("NODES", ADDRESSES.join(" "));
            node.env("REDIS_URL", format!("redis://{}:{}", REDIS.0, REDIS.1));
            all.spawn(move || keep(&format!("the node at http://{address}/"), node));
        }
    });
    Ok(())
}

/// Returns the command of a program that is ended when its input ends: when this
/// process does, whatever becomes of that.
fn ending_with_this(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", r#"exec 3<&0; { cat <&3; kill $$ 2>&-; } & exec "$@""#, "sh"]);
    command.arg(program).stdin(Stdio::piped());
    command
}

/// Runs a program again and again, as long as this process lives.
fn keep(name: &str, mut command: Command) {
    loop {
        if let Err(error) = run(name, &mut command) {
            eprintln!("{name} can't run: {error}");
        }
        thread::sleep(AWAY);
    }
}

fn run(name: &str, command: &mut Command) -> io::Result<()> {
    let mut child = command.spawn()?;
    eprintln!("{name} begins; to kill it: kill -KILL {}", child.id());
    // Closed only then: to wait closes it at once otherwise.
    let _input = child.stdin.take();
    eprintln!("{name} has ended: {}", child.wait()?);
    Ok(())
}

/// Is a node, or keeps all. (A test starts it, too.)
pub fn main() -> pode::Result {
    let told = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let Some(redis_url) = told("REDIS_URL") else { return keep_all() };
    pode::log_to_terminal();
    let address = told("ADDRESS").unwrap_or_else(|| "*:8101".to_owned());
    let name = told("NAME").unwrap_or_else(|| address.clone());
    let nodes = told("NODES").unwrap_or_default();
    let nodes = nodes.split_whitespace().map(str::to_owned).collect();
    many_nodes(Settings { address, name, redis_url, nodes }).run_blocking()
}
