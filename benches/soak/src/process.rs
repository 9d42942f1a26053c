//! The process that serves, and what the system says of it.

use std::process::Stdio;
use std::time::Duration;
use std::{fs, io};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

/// How long a server may take to start, and to end.
const START_TIMEOUT: Duration = Duration::from_secs(20);
const END_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an answer may take, however busy the server is.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// A server that runs. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// The server stops when this is dropped.
    input: ChildStdin,
    pub(crate) port: u16,
    id: u32,
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holdings {
    /// What it has allocated, in bytes.
    pub(crate) heap: u64,
    /// What it has written to and not given back, in bytes.
    pub(crate) memory: u64,
    pub(crate) descriptors: usize,
}

impl Server {
    /// Starts this program as the server, and waits until it listens.
    ///
    /// # Errors
    ///
    /// It can't be started, or says nothing of where it listens.
    pub(crate) async fn start() -> io::Result<Server> {
        let mut command = Command::new(std::env::current_exe()?);
        // Of the run, so that only its own processes find each other there.
        let socket = std::env::temp_dir().join(format!("pode-soak-{}.sock", std::process::id()));
        command
            .arg("serve")
            .arg(socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let (Some(input), Some(output), Some(id)) =
            (child.stdin.take(), child.stdout.take(), child.id())
        else {
            unreachable!("all were asked for, and the process has just begun");
        };
        let mut lines = BufReader::new(output).lines();
        let line = timeout(START_TIMEOUT, lines.next_line()).await??.unwrap_or_default();
        let port = line.strip_prefix("listening ").and_then(|port| port.parse().ok());
        let port = port.ok_or_else(|| io::Error::other(format!("unexpected: {line:?}")))?;
        Ok(Server { child, input, port, id })
    }

    /// Has it stop, and waits for its end.
    ///
    /// # Errors
    ///
    /// It fails, or takes half a minute.
    pub(crate) async fn stop(mut self) -> io::Result<()> {
        drop(self.input);
        let status = timeout(END_TIMEOUT, self.child.wait()).await??;
        if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
    }

    /// Waits until it has ended by itself, since another process took over.
    ///
    /// # Errors
    ///
    /// It fails, or takes half a minute.
    pub(crate) async fn end(mut self) -> io::Result<()> {
        let status = timeout(END_TIMEOUT, self.child.wait()).await??;
        drop(self.input);
        if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
    }

    /// Returns what it holds now.
    ///
    /// # Errors
    ///
    /// It has ended, or the system doesn't tell.
    pub(crate) async fn holdings(&self) -> io::Result<Holdings> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id))?;
        let kibibytes = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kibibytes =
            kibibytes.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        let memory = kibibytes.ok_or(io::ErrorKind::Unsupported)? * 1024;
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.id))?.count();
        let heap = timeout(ANSWER_TIMEOUT, self.heap()).await??;
        Ok(Holdings { heap, memory, descriptors })
    }

    async fn heap(&self) -> io::Result<u64> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.write_all(b"GET /heap HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (_, bytes) = answer.split_once("\r\n\r\n").unwrap_or_default();
        bytes.parse().map_err(|_| io::Error::other(format!("unexpected: {answer:?}")))
    }
}
