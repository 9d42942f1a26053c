//! The program that these tests start repeatedly, and their actions on it.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use pode::Protocol;
use pode::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::Command;

use crate::support::{Process, request_at, this_test, within};

/// The folder of the program's socket and ticks; its drain time in milliseconds; and
/// what it has in stock at its start.
const FOLDER: &str = "PODE_TEST_HAND_OVER";
const DRAIN: &str = "PODE_TEST_DRAIN";
const STOCKED: &str = "PODE_TEST_STOCKED";

struct Ticks(PathBuf);

struct Notes(PathBuf);

#[derive(Deserialize, Serialize)]
struct Count {
    name: String,
    left: u32,
}

#[derive(Deserialize)]
struct Post {
    number: u64,
}

pode_server! {
    server shop(folder: PathBuf, drain: Duration) {
        hand_over: folder.join("shop.sock"),
        drain: drain,
        // So that whatever ends before has the tested reason.
        limits: Limits { head_timeout: 1h, body_timeout: 1h, keep_alive_timeout: 1h },
    };
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    endpoint inner http "127.0.0.2:0";
    operations { endpoint: inner };
    state TICKS: Ticks = Ticks(folder.join("ticks"));
    state NOTES: Notes = Notes(folder.join("notes"));
    signal NEWS: u64 -> u64 = "/news" => async |event: SignalEvent<u64>, number: u64| {
        event.send(NEWS, &number).await
    };
    signal DESK: u64 -> u64 = "/desk" { history_messages: 10_000 } => note;
    signal TALK: String -> String = "/talk" => talk;
    signal ROOM: String -> String = "/rooms/:room" (room: u32) => async |event: SignalEvent<String>, room: u32, text: String| {
        event.send(ROOM.at(&room), &text).await
    };
    signal GROUPS: String -> String = "/groups" { level: Group } => to_group;
    signal STOCK: Count -> Count = "/stock" {
        history_messages: 100,
        replay: All,
        latest_by: |count| &count.name,
    } => async |event, count| match count.left {
        0 => event.remove(STOCK, &count.name).await,
        _ => event.send(STOCK, &count).await,
    };
    signal HERE: u64 -> u64 = "/here" { presence: 100, presence_grace: 1h } => async |event: SignalEvent<u64>, number: u64| {
        event.send(HERE, &number).await
    };
    on connect HERE => async |event: ConnectEvent<u64>| -> Result<(), EventError> {
        match event.query().split('&').next().unwrap_or_default() {
            "" => Ok(()),
            name => event.present(name),
        }
    };
    on connect GROUPS => async |event: ConnectEvent<String>| -> Result<(), EventError> {
        event.join_group(event.query().split('&').next().unwrap_or_default());
        event.greet(&"welcome".to_owned())
    };
    route GET "/" => async |_| text(std::process::id().to_string());
    route POST "/news" (form: Post) => async |event: WebEvent, post: Post| {
        event.send(NEWS, &post.number).await
    };
    // More than the history keeps.
    route POST "/flood" => async |event: WebEvent| -> Result<(), SendError> {
        for number in 0..5_000 {
            event.send(NEWS, &number).await?;
        }
        Ok(())
    };
    timer "tick" every 25ms => async |event| -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let ticks = &event.state(TICKS).0;
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(ticks)?;
        Ok(file.write_all(format!("{}\n", std::process::id()).as_bytes())?)
    };
}

/// Writes down what it sees, and replies.
async fn note(
    event: SignalEvent<u64>,
    number: u64,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let notes = &event.state(NOTES).0;
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(notes)?;
    file.write_all(format!("{number} {}\n", event.may_be_repeated()).as_bytes())?;
    tokio::time::sleep(Duration::from_millis(number % 3)).await;
    Ok(event.reply(&number).await?)
}

async fn talk(event: SignalEvent<String>, text: String) -> Result<(), SendError> {
    event.send(TALK, &text).await?;
    if text == "go" {
        event.clients(TALK).close_all(4001, "as somebody said").await?;
    }
    Ok(())
}

async fn to_group(event: SignalEvent<String>, text: String) -> Result<(), SendError> {
    let group = if text == "everybody" { "crew" } else { text.as_str() };
    event.send(GROUPS, &text).to_group(group).await
}

/// The program of these tests: they run this test alone, in a process of its
/// own. Otherwise it does nothing.
#[test]
fn program() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let drain = std::env::var(DRAIN).unwrap().parse().map(Duration::from_millis).unwrap();
    pode::log_to_terminal();
    let shop = shop(folder.into(), drain);
    if let Ok(name) = std::env::var(STOCKED) {
        shop.signals().try_send(STOCK, &Count { name, left: 1 }).unwrap();
    }
    if let Err(error) = shop.run_blocking() {
        eprintln!("Error: {error:?}");
        std::process::exit(1);
    }
}

/// A folder of one test, which is removed at the end.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("pode-over-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.0.join("shop.sock")
    }

    /// Returns the processes that ticked, in their order.
    pub(super) fn ticks(&self) -> Vec<String> {
        let ticks = std::fs::read_to_string(self.0.join("ticks")).unwrap_or_default();
        ticks.lines().map(str::to_owned).collect()
    }

    /// Returns what was written down: numbers, each with whether it might be known.
    pub(super) fn notes(&self) -> Vec<(u64, bool)> {
        let notes = std::fs::read_to_string(self.0.join("notes")).unwrap_or_default();
        let note = |line: &str| {
            let (number, may_be_repeated) = line.split_once(' ').unwrap();
            (number.parse().unwrap(), may_be_repeated.parse().unwrap())
        };
        notes.lines().map(note).collect()
    }

    /// Waits until a process has ticked.
    pub(super) async fn tick_of(&self, shop: &Shop) {
        let process = shop.id();
        let ticked = async {
            while !self.ticks().contains(&process) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        within(ticked, "a tick").await;
    }

    /// Waits until a process ticks once more.
    pub(super) async fn next_tick_of(&self, shop: &Shop) {
        // One tick may be half done.
        for _ in 0..2 {
            let _ = std::fs::remove_file(self.0.join("ticks"));
            self.tick_of(shop).await;
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running program, which is killed when this is dropped.
pub(super) struct Shop {
    pub(super) process: Process,
    pub(super) address: SocketAddr,
    /// Where it tells how it is.
    pub(super) operations: SocketAddr,
}

impl Shop {
    /// Starts a process, and waits until it serves.
    pub(super) async fn start(folder: &Folder, drain: Duration) -> Shop {
        Shop::begin(&mut command(folder, drain)).await
    }

    /// Starts a process that sends what it has in stock before it runs.
    pub(super) async fn start_with(folder: &Folder, name: &str) -> Shop {
        Shop::begin(command(folder, Duration::from_secs(60)).env(STOCKED, name)).await
    }

    async fn begin(command: &mut Command) -> Shop {
        let process = Process::start(command);
        let address = process.address(Protocol::Ws).await;
        let line = process.says("listens on http://127.0.0.2:").await;
        let (_, operations) = line.split_once("http://").unwrap();
        let operations = operations.trim_end_matches('/').parse().unwrap();
        Shop { process, address, operations }
    }

    /// Starts a process that may use one core only, or all of them.
    #[cfg(target_os = "linux")]
    pub(super) async fn start_on(one_core: bool, folder: &Folder, drain: Duration) -> Shop {
        let shop = command(folder, drain);
        let mut command = Command::new("taskset");
        let cores = if one_core { "1" } else { "ffffffff" };
        command.arg(cores).arg(shop.as_std().get_program()).args(shop.as_std().get_args());
        for (name, value) in shop.as_std().get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        Shop::begin(command.stdout(Stdio::null())).await
    }

    /// Starts a process that fails, and returns its log.
    pub(super) async fn fail(folder: &Folder) -> String {
        let (said, status) = Process::start(&mut command(folder, Duration::ZERO)).end().await;
        assert_eq!(status.code(), Some(1));
        said
    }

    /// Returns its process id, as it reports it.
    pub(super) fn id(&self) -> String {
        self.process.id().to_string()
    }

    /// Waits for the end; returns the exit code and the log.
    pub(super) async fn end(self) -> (Option<i32>, String) {
        let (said, status) = self.process.end().await;
        (status.code(), said)
    }
}

fn command(folder: &Folder, drain: Duration) -> Command {
    let mut command = this_test("hand_over::program::program");
    command.env(FOLDER, &folder.0).env(DRAIN, drain.as_millis().to_string()).stdout(Stdio::null());
    command
}

/// Posts a number, which all clients of the news get; returns the status.
pub(super) async fn post(address: SocketAddr, number: u64) -> u16 {
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let body = format!("number={number}");
    request_at(address, "POST", "/news", &form, body.as_bytes()).await.status
}

/// Sends what a newer process sends, and returns the connection when the older
/// one has sent a certain word.
pub(super) async fn speak(path: &Path, words: &[&str], until: &str) -> UnixStream {
    let mut stream = UnixStream::connect(path).await.unwrap();
    let talk = async {
        stream.write_all(b"pode hand-over 6\n").await.unwrap();
        stream.read_exact(&mut [0; 17]).await.unwrap();
        let mut heard = hear(&mut stream).await;
        assert!(heard.starts_with(r#"{"sockets":"#), "{heard}");
        // Each comes with a byte, of which no two are read at once; the system
        // closes the descriptors.
        for _ in 0..heard.matches("\"declared\"").count() + 1 {
            stream.read_u8().await.unwrap();
        }
        for word in words {
            stream.write_u32(word.len() as u32).await.unwrap();
            stream.write_u32(0).await.unwrap();
            stream.write_all(word.as_bytes()).await.unwrap();
            while !heard.contains(until) {
                heard = hear(&mut stream).await;
            }
        }
    };
    within(talk, "the older process").await;
    stream
}

async fn hear(stream: &mut UnixStream) -> String {
    let header = stream.read_u32().await.unwrap();
    let payload = stream.read_u32().await.unwrap();
    let mut both = vec![0; (header + payload) as usize];
    stream.read_exact(&mut both).await.unwrap();
    String::from_utf8(both[..header as usize].to_vec()).unwrap()
}
