//! The server process, and the system's figures about it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use std::{fs, io};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use crate::child::{anonymous_bytes, request};
use crate::faults::Seen;
use crate::log::Log;

/// How long a server may take to start, and to end.
const START_TIMEOUT: Duration = Duration::from_secs(20);
const END_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an answer may take, however busy the server is.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// A running server. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// The server stops when this is dropped.
    input: ChildStdin,
    pub(crate) port: u16,
    /// The port of `https`.
    pub(crate) secure_port: u16,
    id: u32,
    /// The log of a server with faults, as long as it is read.
    pub(crate) log: Option<Log>,
}

/// The resources that a process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holdings {
    /// Allocated bytes.
    pub(crate) heap: u64,
    /// Bytes of memory that it has written to and not given back.
    pub(crate) memory: u64,
    pub(crate) descriptors: usize,
}

impl Server {
    /// Starts this program as the server, and waits until it listens. With the port
    /// of an upstream, it is the server with faults.
    ///
    /// # Errors
    ///
    /// It can't be started, or doesn't print its port.
    pub(crate) async fn start(upstream: Option<u16>) -> io::Result<Server> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("serve")
            .arg(socket())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        if let Some(port) = upstream {
            command.arg(format!("ws://127.0.0.1:{port}/")).stderr(Stdio::piped());
        }
        let mut child = command.spawn()?;
        let (Some(input), Some(output), Some(id)) =
            (child.stdin.take(), child.stdout.take(), child.id())
        else {
            unreachable!("all were asked for, and the process has just begun");
        };
        let mut lines = BufReader::new(output).lines();
        let line = timeout(START_TIMEOUT, lines.next_line()).await??.unwrap_or_default();
        let ports = line.strip_prefix("listening ").and_then(|ports| {
            let (port, secure_port) = ports.split_once(' ')?;
            Some((port.parse().ok()?, secure_port.parse().ok()?))
        });
        let (port, secure_port) =
            ports.ok_or_else(|| io::Error::other(format!("unexpected: {line:?}")))?;
        let log = child.stderr.take().map(Log::read);
        Ok(Server { child, input, port, secure_port, id, log })
    }

    /// Stops the process, and waits for its end.
    ///
    /// # Errors
    ///
    /// It fails, or takes half a minute.
    pub(crate) async fn stop(mut self) -> io::Result<()> {
        drop(self.input);
        let status = timeout(END_TIMEOUT, self.child.wait()).await??;
        if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
    }

    /// Waits until it has ended by itself, after another process took over.
    ///
    /// # Errors
    ///
    /// It fails, or takes half a minute.
    pub(crate) async fn end(mut self) -> io::Result<()> {
        let status = timeout(END_TIMEOUT, self.child.wait()).await??;
        drop(self.input);
        if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
    }

    /// Returns the resources that it holds now.
    ///
    /// # Errors
    ///
    /// It has ended, or the system doesn't provide the figures.
    pub(crate) async fn holdings(&self) -> io::Result<Holdings> {
        let memory = anonymous_bytes(self.id)?;
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.id))?.count();
        let heap = self.number("/heap").await?;
        Ok(Holdings { heap, memory, descriptors })
    }

    /// Returns how many clients it has.
    ///
    /// # Errors
    ///
    /// It doesn't answer.
    pub(crate) async fn clients(&self) -> io::Result<u64> {
        self.number("/clients").await
    }

    async fn number(&self, path: &str) -> io::Result<u64> {
        let number = self.ask("GET", path, "").await?;
        number.parse().map_err(|_| io::Error::other(format!("unexpected: {number:?}")))
    }

    /// Returns its counts; for a server with faults.
    ///
    /// # Errors
    ///
    /// It doesn't answer.
    pub(crate) async fn seen(&self) -> io::Result<Seen> {
        Ok(serde_json::from_str(&self.ask("GET", "/seen", "").await?)?)
    }

    /// Makes a request over a new connection; returns the body of the answer.
    ///
    /// # Errors
    ///
    /// There is no answer, or its status isn't 2xx.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &str) -> io::Result<String> {
        match timeout(ANSWER_TIMEOUT, request(self.port, method, path, body)).await?? {
            (200..300, body) => Ok(body),
            answer => Err(io::Error::other(format!("unexpected: {answer:?}"))),
        }
    }

    /// Sends it SIGHUP.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub(crate) fn hang_up(&self) -> io::Result<()> {
        let process = i32::try_from(self.id).ok().and_then(Pid::from_raw);
        Ok(kill_process(process.ok_or(io::ErrorKind::NotFound)?, Signal::HUP)?)
    }

    /// Sends bytes that no pode server sends to the hand-over socket, and waits for
    /// the end of the connection.
    ///
    /// # Errors
    ///
    /// Nothing listens there.
    pub(crate) async fn ask_strangely(&self) -> io::Result<()> {
        let mut stranger = UnixStream::connect(socket()).await?;
        stranger.write_all(b"give me everything\n").await?;
        // Any end will do.
        let _ = timeout(ANSWER_TIMEOUT, stranger.read_to_end(&mut Vec::new())).await?;
        Ok(())
    }
}

/// The hand-over socket of this run, so that only its own processes find each
/// other there.
fn socket() -> PathBuf {
    std::env::temp_dir().join(format!("pode-soak-{}.sock", std::process::id()))
}
