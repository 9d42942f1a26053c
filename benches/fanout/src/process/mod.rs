//! Processes: a started server program, its cores, and in submodules the
//! system's figures about processes and sockets.

mod accounts;
mod sockets;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

pub use self::accounts::{CpuTime, anonymous_bytes};
pub use self::sockets::unsent_bytes;
use crate::protocol::{Dialect, Publish};

/// How long a server program may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// How long it may take to end by itself.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// A program that speaks the [protocol](crate::protocol).
#[derive(Clone, Debug)]
pub struct Program {
    /// Its name in tables.
    pub name: String,
    /// The program and its arguments; the number of paths is added, and for
    /// TLS the folder of a certificate.
    pub command: Vec<OsString>,
}

/// A running server program. Dropping it ends the program.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Absent once the program was told to end.
    requests: Option<ChildStdin>,
    answers: ChildStdout,
    /// The part of the next line that was read.
    line: Vec<u8>,
    port: u16,
    /// The id of the process that serves, which the program may have started.
    id: u32,
    tls: bool,
    dialect: Dialect,
}

/// A server's answer when it has published.
#[derive(Debug)]
pub struct Published {
    /// How many messages.
    pub messages: u64,
    /// The position behind them, if clients may come back for what they miss.
    pub position: Option<String>,
}

impl Server {
    /// Starts a program, on the given cores if there are any, and waits until
    /// clients can connect: by TLS, if there is a folder with a certificate.
    ///
    /// # Errors
    ///
    /// It can't be started, or doesn't print its port within 20 seconds.
    pub fn start(
        program: &Program,
        paths: usize,
        certificate: Option<&Path>,
        cores: &[usize],
    ) -> io::Result<Server> {
        let (name, arguments) = program.command.split_first().ok_or(io::ErrorKind::NotFound)?;
        let mut command = Command::new(name);
        command.args(arguments).arg(paths.to_string()).args(certificate);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // A child inherits the cores of the thread that starts it.
        let before = sched_getaffinity(None)?;
        if !cores.is_empty() {
            pin(cores)?;
        }
        let child = command.spawn();
        sched_setaffinity(None, &before)?;
        let mut child = child?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both were asked for");
        };
        let (requests, tls) = (Some(requests), certificate.is_some());
        let id = child.id();
        let (line, port, dialect) = (Vec::new(), 0, Dialect::Plain);
        let mut server = Server { child, requests, answers, line, port, id, tls, dialect };
        let line = server.wait_for_line(START_TIMEOUT)?;
        let unexpected = || io::Error::other(format!("unexpected: {line}"));
        let mut fields = line.strip_prefix("listening ").ok_or_else(unexpected)?.split(' ');
        let port = fields.next().and_then(|port| port.parse().ok());
        server.port = port.ok_or_else(unexpected)?;
        if let Some(id) = fields.next() {
            server.id = id.parse().map_err(|_| unexpected())?;
        }
        server.dialect = match fields.next() {
            None => Dialect::Plain,
            Some("socket.io") => Dialect::SocketIo,
            Some("pode.v1") => Dialect::PodeV1,
            Some(_) => return Err(unexpected()),
        };
        Ok(server)
    }

    /// Returns the port of 127.0.0.1 on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns whether clients connect by TLS.
    pub fn speaks_tls(&self) -> bool {
        self.tls
    }

    /// Returns what clients speak.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Returns the id of the process that serves.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Waits until it does next to nothing.
    ///
    /// # Errors
    ///
    /// It has ended, or is still busy after 20 seconds.
    pub fn settle(&self) -> io::Result<()> {
        let end = Instant::now() + START_TIMEOUT;
        while Instant::now() < end {
            let before = CpuTime::of_process(self.id)?;
            thread::sleep(Duration::from_millis(200));
            if CpuTime::of_process(self.id)?.since(before).ran_ns < 1_000_000 {
                return Ok(());
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Asks it to publish.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn ask(&mut self, publish: &Publish) -> io::Result<()> {
        let requests = self.requests.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        requests.write_all(publish.line().as_bytes())
    }

    /// Reads its answer; this waits unless there is something to read. Returns
    /// what it published once it is done.
    ///
    /// # Errors
    ///
    /// It has ended, or answers something else.
    pub fn read_answer(&mut self) -> io::Result<Option<Published>> {
        let Some(line) = self.read_line()? else { return Ok(None) };
        let unexpected = || io::Error::other(format!("unexpected: {line}"));
        let mut fields = line.strip_prefix("done ").ok_or_else(unexpected)?.split(' ');
        let messages = fields.next().and_then(|messages| messages.parse().ok());
        let position = fields.next().map(str::to_owned);
        Ok(Some(Published { messages: messages.ok_or_else(unexpected)?, position }))
    }

    fn wait_for_line(&mut self, timeout: Duration) -> io::Result<String> {
        let end = Instant::now() + timeout;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let left = left.try_into().map_err(io::Error::other)?;
            let mut wanted = [PollFd::new(&self.answers, PollFlags::IN)];
            if poll(&mut wanted, Some(&left))? == 0 {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if let Some(line) = self.read_line()? {
                return Ok(line);
            }
        }
    }

    fn read_line(&mut self) -> io::Result<Option<String>> {
        let mut bytes = [0; 256];
        let read = self.answers.read(&mut bytes)?;
        if read == 0 {
            return Err(io::Error::other("the server program has ended"));
        }
        self.line.extend_from_slice(&bytes[..read]);
        let Some(end) = self.line.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let rest = self.line.split_off(end + 1);
        let line = std::mem::replace(&mut self.line, rest);
        Ok(Some(String::from_utf8_lossy(&line).trim().to_owned()))
    }
}

impl AsFd for Server {
    /// Is readable when there is an answer.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.answers.as_fd()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.requests = None;
        let end = Instant::now() + END_TIMEOUT;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
        // Does nothing if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the cores on which this thread may run.
///
/// # Errors
///
/// The system doesn't provide them.
pub fn cores() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect())
}

/// Pins this thread to some cores.
///
/// # Errors
///
/// None of them exists.
pub fn pin(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    Ok(sched_setaffinity(None, &set)?)
}

/// Raises the soft limit of open descriptors to the hard one.
///
/// # Errors
///
/// The system refuses.
pub fn raise_descriptor_limit() -> io::Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}
