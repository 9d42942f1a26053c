//! The processes that are measured, and their accounts.

#[allow(dead_code, unreachable_pub, reason = "another package has it, too, and needs more of it")]
#[path = "../../fanout/src/process/accounts.rs"]
mod accounts;

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use rustix::process::{Pid, Signal, kill_process};

pub(crate) use self::accounts::CpuTime;

/// How long a Redis may take to begin, or to read what it has.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A program of which each node is a process.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    command: Vec<OsString>,
}

/// A running node. Dropping it ends it.
pub(crate) struct Node {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Where clients connect.
    pub(crate) port: u16,
    /// Where it says whether it is ready.
    pub(crate) operations: u16,
}

/// A running redis-server. Dropping it ends it.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    folder: PathBuf,
    is_kept: bool,
}

impl Program {
    /// Of this program.
    pub(crate) fn own(name: &'static str) -> io::Result<Program> {
        let command = vec![env::current_exe()?.into(), "node".into(), name.into()];
        Ok(Program { name, command })
    }

    /// A script of Node.js.
    pub(crate) fn script(name: &'static str, script: &Path) -> Program {
        Program { name, command: vec!["node".into(), script.into(), name.into()] }
    }

    /// Starts nodes that find each other by a name.
    pub(crate) fn start(&self, redis: &Redis, name: &str, count: usize) -> io::Result<Vec<Node>> {
        let start = |_| {
            let (program, arguments) = self.command.split_first().ok_or(io::ErrorKind::NotFound)?;
            let mut command = Command::new(program);
            command.args(arguments).arg(redis.url()).arg(format!("{}-{name}", self.name));
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
            let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
                unreachable!("both were asked for");
            };
            let answers = BufReader::new(answers);
            let mut node = Node { child, requests, answers, port: 0, operations: 0 };
            let line = node.line()?;
            let ports = line.strip_prefix("listening ").and_then(|ports| ports.split_once(' '));
            let (port, operations) = ports.ok_or_else(|| unexpected(&line))?;
            node.port = port.parse().map_err(|_| unexpected(&line))?;
            node.operations = operations.parse().map_err(|_| unexpected(&line))?;
            Ok(node)
        };
        (0..count).map(start).collect()
    }
}

impl Node {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn ask(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.requests, "{line}")
    }

    /// Waits until it has done what it was asked for.
    pub(crate) fn answer(&mut self) -> io::Result<String> {
        let line = self.line()?;
        line.strip_prefix("done ").map(str::to_owned).ok_or_else(|| unexpected(&line))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line)? {
            0 => Err(io::Error::other("a node has ended")),
            _ => Ok(line.trim_end_matches('\n').to_owned()),
        }
    }
}

fn unexpected(line: &str) -> io::Error {
    io::Error::other(format!("unexpected: {line}"))
}

/// Asks all nodes at once, and waits until they have done it.
pub(crate) fn ask_all<'nodes>(
    nodes: impl IntoIterator<Item = &'nodes mut Node>,
    line: &str,
) -> io::Result<()> {
    let mut asked: Vec<_> = nodes.into_iter().collect();
    asked.iter_mut().try_for_each(|node| node.ask(line))?;
    asked.iter_mut().try_for_each(|node| node.answer().map(drop))
}

impl Drop for Node {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

impl Redis {
    /// Starts one on a free port; one that is `kept` keeps what it has when it is killed.
    pub(crate) fn start(is_kept: bool) -> io::Result<Redis> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = env::temp_dir().join(format!("pode-backplane-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let child = Redis::spawn(port, &folder, is_kept)?;
        let redis = Redis { child, port, folder, is_kept };
        redis.wait()?;
        Ok(redis)
    }

    fn spawn(port: u16, folder: &Path, is_kept: bool) -> io::Result<Child> {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
        command.args(["--appendonly", if is_kept { "yes" } else { "no" }, "--dir"]).arg(folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()
    }

    /// Waits until it answers.
    fn wait(&self) -> io::Result<()> {
        let end = Instant::now() + START_TIMEOUT;
        while Instant::now() < end {
            if let Ok(mut connection) = self.connection()
                && redis::cmd("PING").query::<String>(&mut connection).is_ok()
            {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn connection(&self) -> redis::RedisResult<redis::Connection> {
        redis::Client::open(self.url())?.get_connection()
    }

    /// Returns how often each command was called.
    pub(crate) fn calls(&self) -> io::Result<Vec<(String, u64)>> {
        let mut connection = self.connection().map_err(io::Error::other)?;
        let mut info = redis::cmd("INFO");
        let info: String =
            info.arg("commandstats").query(&mut connection).map_err(io::Error::other)?;
        let calls = info.lines().filter_map(|line| {
            let (command, figures) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            Some((command.to_owned(), figures.split(',').next()?.parse().ok()?))
        });
        Ok(calls.collect())
    }

    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        Ok(kill_process(id.ok_or(io::ErrorKind::NotFound)?, signal)?)
    }

    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Starts it again, where it was.
    pub(crate) fn start_again(&mut self) -> io::Result<()> {
        self.child = Redis::spawn(self.port, &self.folder, self.is_kept)?;
        self.wait()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        end(&mut self.child);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn end(child: &mut Child) {
    // Does nothing if it has ended.
    let _ = child.kill();
    let _ = child.wait();
}

/// Returns how many bytes a process has in memory.
pub(crate) fn resident_bytes(id: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kibibytes.ok_or(io::ErrorKind::Unsupported)? * 1024)
}

/// Raises the limit of open descriptors as far as may be.
pub(crate) fn raise_descriptor_limit() -> io::Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// Asks a node whether it may get clients.
pub(crate) fn is_ready(operations: u16) -> io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", operations))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let request = "GET /_pode/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes())?;
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status)?;
    Ok(status.contains(" 200 "))
}
