//! Programs in processes of their own, and their logs.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use pode::Protocol;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use super::PATIENCE;

/// Returns the command that runs one of these tests alone, by its path: a test
/// that acts as a program if its environment says so.
pub(crate) fn this_test(path: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", path, "--nocapture", "--quiet"]).env_remove("RUST_LOG");
    command
}

/// A program that runs until this is dropped. Its log is read all the time, so
/// that it never waits for a reader.
pub(crate) struct Process {
    child: Child,
    id: u32,
    said: Arc<Mutex<Vec<String>>>,
    /// How many lines the log has; closed when no more come.
    lines: watch::Receiver<usize>,
    /// How many of them [`says_next`](Self::says_next) has passed.
    looked_at: usize,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Process {
        command.stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let id = child.id().expect("it has just begun");
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = Arc::new(Mutex::new(Vec::new()));
        let (count, lines) = watch::channel(0);
        let heard = Arc::clone(&said);
        tokio::spawn(async move {
            while let Ok(Some(line)) = log.next_line().await {
                heard.lock().unwrap().push(line);
                count.send_modify(|count| *count += 1);
            }
        });
        Process { child, id, said, lines, looked_at: 0 }
    }

    /// Tells whether it has ended, or will say nothing any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.lines.has_changed().is_err()
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Returns all lines of the log, so far.
    pub(crate) fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    /// Waits for a line of the log, or finds it among the earlier ones.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> impl Future<Output = String> + use<> {
        let line = self.find(text, 0);
        async move { line.await.1 }
    }

    /// Waits for another line of the log, after the last one found this way;
    /// returns all lines up to and including it.
    #[track_caller]
    pub(crate) fn says_next(&mut self, text: &str) -> impl Future<Output = Vec<String>> {
        let line = self.find(text, self.looked_at);
        async move {
            let (index, _) = line.await;
            let before = std::mem::replace(&mut self.looked_at, index + 1);
            self.said()[before..=index].to_vec()
        }
    }

    /// Returns the index of a line after the given one, and the line.
    #[track_caller]
    fn find(&self, text: &str, behind: usize) -> impl Future<Output = (usize, String)> + use<> {
        let place = std::panic::Location::caller();
        let (mut lines, text, said) = (self.lines.clone(), text.to_owned(), Arc::clone(&self.said));
        let find = {
            let said = Arc::clone(&said);
            move |text: &str| {
                let said = said.lock().unwrap();
                let mut lines = said.iter().enumerate().skip(behind);
                let found = lines.find(|(_, line)| line.contains(text));
                found.map(|(index, line)| (index, line.clone()))
            }
        };
        async move {
            let heard = async {
                loop {
                    let has_ended = lines.has_changed().is_err();
                    if let Some(found) = find(&text) {
                        return found;
                    }
                    if has_ended || lines.changed().await.is_err() && find(&text).is_none() {
                        panic!("{place}: it ended without {text:?}; it said:\n{}", all(&said));
                    }
                }
            };
            let heard = timeout(PATIENCE, heard).await;
            heard.unwrap_or_else(|_| panic!("{place}: no {text:?} in:\n{}", all(&said)))
        }
    }

    /// Waits until it listens, and returns the address.
    pub(crate) async fn address(&self, protocol: Protocol) -> SocketAddr {
        let listens = format!("listens on {protocol}://");
        let line = self.says(&listens).await;
        let (_, address) = line.split_once(&listens).unwrap();
        address.trim_end_matches('/').parse().unwrap()
    }

    /// Sends it a system signal, such as `-TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.id.to_string();
        let sent = std::process::Command::new("kill").args([signal, &id]).status();
        assert!(sent.unwrap().success());
    }

    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits for the end, and returns the whole log and the status.
    pub(crate) async fn end(mut self) -> (String, ExitStatus) {
        let ended = async {
            let status = self.child.wait().await.unwrap();
            while self.lines.changed().await.is_ok() {}
            status
        };
        match timeout(PATIENCE, ended).await {
            Ok(status) => (all(&self.said), status),
            Err(_) => panic!("it doesn't end; it said:\n{}", all(&self.said)),
        }
    }
}

fn all(said: &Mutex<Vec<String>>) -> String {
    said.lock().unwrap().iter().map(|line| format!("{line}\n")).collect()
}
