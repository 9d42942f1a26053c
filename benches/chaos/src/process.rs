//! The processes of a node.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::child::anonymous_bytes;
use crate::record::Handled;
use crate::store::send_signal;
use crate::world::{PATIENCE, Place, World, lock};

/// How long a node may take to start: until Redis is there again, too, for ten seconds in
/// which nothing else happens.
const START: Duration = Duration::from_secs(120);

/// A node, whose processes come and go.
pub(crate) struct Node {
    pub(crate) slot: usize,
    pub(crate) lives: usize,
    pub(crate) world: Arc<World>,
    pub(crate) folder: PathBuf,
    pub(crate) redis_port: u16,
    pub(crate) process: Option<NodeProcess>,
}

pub(crate) struct NodeProcess {
    child: Child,
    /// It stops when this is dropped.
    input: ChildStdin,
    /// What it says was handled, until its end.
    reading: JoinHandle<()>,
}

impl Node {
    /// Starts processes until one of them serves.
    pub(crate) async fn begin(&mut self) -> io::Result<()> {
        let starts = async {
            loop {
                match self.try_to_begin().await {
                    Ok(()) => return,
                    Err(error) => self.world.log(&format!("n{}: {error}", self.slot)),
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(START, starts).await.map_err(|_| io::Error::other("a node doesn't start"))
    }

    async fn try_to_begin(&mut self) -> io::Result<()> {
        self.lives += 1;
        let life = format!("n{}.{}", self.slot, self.lives);
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join(format!("node-{}.log", self.slot)))?;
        writeln!(&log, "--- {life} at {}", self.world.now())?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["node", &format!("redis://127.0.0.1:{}", self.redis_port), &life]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both were asked for");
        };
        let (world, its_life) = (Arc::clone(&self.world), life.clone());
        let (tell, told) = oneshot::channel();
        let reading = tokio::spawn(async move {
            let (mut lines, mut tell) = (BufReader::new(output).lines(), Some(tell));
            while let Ok(Some(line)) = lines.next_line().await {
                let words: Vec<_> = line.split(' ').collect();
                match words[..] {
                    ["listening", port, http_port] => {
                        let ports = port.parse().ok().zip(http_port.parse().ok());
                        if let Some(tell) = tell.take() {
                            let _ = tell.send(ports);
                        }
                    }
                    ["handled", who, number, is_flagged] => {
                        lock(&world.record).handled.push(Handled {
                            life: its_life.clone(),
                            who: who.to_owned(),
                            number: number.parse().unwrap_or_default(),
                            is_flagged: is_flagged == "true",
                        });
                    }
                    ["fired", slot] => {
                        let slot = slot.parse().unwrap_or_default();
                        lock(&world.record).fired.push((slot, its_life.clone()));
                    }
                    // The last line of one that was killed.
                    _ => {}
                }
            }
        });
        let Ok(Some((port, http_port))) = told.await else {
            return Err(io::Error::other(format!("{life} doesn't start")));
        };
        self.process = Some(NodeProcess { child, input, reading });
        self.world.log(&format!("{life} serves"));
        self.world.places[self.slot].send_replace(Some(Place { life, port, http_port }));
        Ok(())
    }

    pub(crate) async fn kill(&mut self) {
        let Some(NodeProcess { mut child, input, reading }) = self.process.take() else { return };
        if let Some(place) = self.world.places[self.slot].send_replace(None) {
            lock(&self.world.record).killed.insert(place.life, self.world.now());
        }
        // An error means that it has ended.
        let _ = child.kill().await;
        let _ = reading.await;
        drop(input);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send_signal(self.process.as_ref().map(|process| &process.child), signal);
    }

    /// Returns the bytes of memory that it has written to and not given back.
    pub(crate) fn memory(&self) -> Option<u64> {
        let id = self.process.as_ref()?.child.id()?;
        anonymous_bytes(id).ok()
    }

    /// Stops it in order.
    pub(crate) async fn stop(&mut self) {
        let Some(NodeProcess { mut child, input, reading }) = self.process.take() else { return };
        drop(input);
        match timeout(PATIENCE, child.wait()).await {
            Ok(Ok(status)) if status.success() => {}
            other => self.world.wrong(format!("n{} doesn't stop: {other:?}", self.slot)),
        }
        let _ = reading.await;
    }
}
