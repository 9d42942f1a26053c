//! Processes: a started server program, and what the system says of processes.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::protocol::Publish;

/// How long a server program may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// How long it may take to end by itself.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// A program that speaks the [protocol](crate::protocol).
#[derive(Clone, Debug)]
pub struct Program {
    /// What it is called in tables.
    pub name: String,
    /// The program and its arguments; the number of paths is added.
    pub command: Vec<OsString>,
}

/// A server program that runs. Dropping it ends the program.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Absent once the program was told to end.
    requests: Option<ChildStdin>,
    answers: ChildStdout,
    /// What was read of the next line.
    line: Vec<u8>,
    port: u16,
}

impl Server {
    /// Starts a program, on the given core if there is one, and waits until
    /// clients can connect.
    ///
    /// # Errors
    ///
    /// It can't be started, or says within 20 seconds nothing of where it
    /// listens.
    pub fn start(program: &Program, paths: usize, core: Option<usize>) -> io::Result<Server> {
        let (name, arguments) = program.command.split_first().ok_or(io::ErrorKind::NotFound)?;
        let mut command = Command::new(name);
        command.args(arguments).arg(paths.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // A child inherits the cores of the thread that starts it.
        let before = sched_getaffinity(None)?;
        if let Some(core) = core {
            pin(core)?;
        }
        let child = command.spawn();
        sched_setaffinity(None, &before)?;
        let mut child = child?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both were asked for");
        };
        let mut server = Server { child, requests: Some(requests), answers, line: vec![], port: 0 };
        let line = server.wait_for_line(START_TIMEOUT)?;
        let port = line.strip_prefix("listening ").and_then(|port| port.parse().ok());
        server.port = port.ok_or_else(|| io::Error::other(format!("unexpected: {line}")))?;
        Ok(server)
    }

    /// Returns the port of 127.0.0.1 on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
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

    /// Reads what it answered; this waits unless there is something to read.
    /// Returns how many messages it published once it is done.
    ///
    /// # Errors
    ///
    /// It has ended, or says something else.
    pub fn read_answer(&mut self) -> io::Result<Option<u64>> {
        let Some(line) = self.read_line()? else { return Ok(None) };
        match line.strip_prefix("done ").and_then(|published| published.parse().ok()) {
            Some(published) => Ok(Some(published)),
            None => Err(io::Error::other(format!("unexpected: {line}"))),
        }
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
/// The system doesn't tell.
pub fn cores() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect())
}

/// Keeps this thread on a core.
///
/// # Errors
///
/// There is no such core.
pub fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// Time on cores, as the system accounts for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuTime {
    /// How long it ran, in nanoseconds.
    pub ran_ns: u64,
    /// How long it could have run and others did, in nanoseconds.
    pub waited_ns: u64,
    /// How many of the system's ticks found it in its own code.
    pub user_ticks: u64,
    /// How many found it in the kernel.
    pub kernel_ticks: u64,
}

impl CpuTime {
    /// Returns what the threads of a process took since they began.
    ///
    /// # Errors
    ///
    /// There is no such process.
    pub fn of_process(id: u32) -> io::Result<CpuTime> {
        let mut time = CpuTime::default();
        for task in fs::read_dir(format!("/proc/{id}/task"))? {
            let (ran_ns, waited_ns) = ran_and_waited(&task?.path().join("schedstat"))?;
            time.ran_ns += ran_ns;
            time.waited_ns += waited_ns;
        }
        let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
        // Behind the name of the program, which may hold anything.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let mut ticks = fields.skip(11).map_while(|ticks| ticks.parse().ok());
        time.user_ticks = ticks.next().unwrap_or(0);
        time.kernel_ticks = ticks.next().unwrap_or(0);
        Ok(time)
    }

    /// Returns what this thread took, without its ticks.
    ///
    /// # Errors
    ///
    /// The system doesn't tell.
    pub fn of_this_thread() -> io::Result<CpuTime> {
        let (ran_ns, waited_ns) = ran_and_waited("/proc/thread-self/schedstat".as_ref())?;
        Ok(CpuTime { ran_ns, waited_ns, ..CpuTime::default() })
    }

    /// Returns what was taken since an earlier moment.
    pub fn since(self, earlier: CpuTime) -> CpuTime {
        CpuTime {
            ran_ns: self.ran_ns.saturating_sub(earlier.ran_ns),
            waited_ns: self.waited_ns.saturating_sub(earlier.waited_ns),
            user_ticks: self.user_ticks.saturating_sub(earlier.user_ticks),
            kernel_ticks: self.kernel_ticks.saturating_sub(earlier.kernel_ticks),
        }
    }

    /// Returns which part of the time in which it could run it did, from 0 to
    /// 1.
    pub fn share(self) -> f64 {
        let wanted = self.ran_ns + self.waited_ns;
        if wanted == 0 { 1.0 } else { self.ran_ns as f64 / wanted as f64 }
    }
}

fn ran_and_waited(schedstat: &std::path::Path) -> io::Result<(u64, u64)> {
    let text = match fs::read_to_string(schedstat) {
        Ok(text) => text,
        // The thread has ended since it was listed.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {
            String::new()
        }
        Err(error) => return Err(error),
    };
    let mut fields = text.split_whitespace().map_while(|field| field.parse().ok());
    Ok((fields.next().unwrap_or(0), fields.next().unwrap_or(0)))
}

/// Returns how much memory a process has written to and still holds, in bytes;
/// files and what the kernel keeps for it are not counted.
///
/// # Errors
///
/// There is no such process, or the system doesn't tell.
pub fn anonymous_bytes(id: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = kibibytes.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kibibytes.ok_or(io::ErrorKind::Unsupported)? * 1024)
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
