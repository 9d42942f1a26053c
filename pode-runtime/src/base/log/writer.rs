//! A writer for logs that never fails and never blocks its callers.
//!
//! Lines go into a bounded buffer, which a dedicated thread writes out. So a
//! reader that stalls, a full disk or a terminal that has gone costs lines and
//! nothing else. Lost lines are counted, and the count is reported as soon as
//! something can be written again.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// How many bytes may wait to be written: a burst of some ten thousand lines.
const BUFFER_BYTES: usize = 1 << 20;

/// How many more bytes the reports of lost lines may take.
const NOTICE_BYTES: usize = 4 << 10;

/// How long to pause when a non-blocking descriptor takes no more.
const PAUSE: Duration = Duration::from_millis(20);

/// Writes logs without ever failing or waiting; see [`log_writer`](super::log_writer).
///
/// Cloning is cheap, and all clones are the same writer. Each call of `write`
/// passes one or several whole lines, which are written or lost together.
#[derive(Clone, Debug)]
pub struct LogWriter {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    buffer: Mutex<Buffer>,
    /// Notified when there is something to write.
    filled: Condvar,
    /// Notified when everything is written.
    emptied: Condvar,
    /// The thread that writes; its own lines always fit.
    thread: OnceLock<ThreadId>,
}

#[derive(Debug, Default)]
struct Buffer {
    text: Vec<u8>,
    /// How many lines didn't fit behind the text.
    lost: usize,
    /// Whether the text taken before is being written.
    is_writing: bool,
    /// Whether a wait for that has timed out.
    is_stalled: bool,
}

impl LogWriter {
    /// Makes a writer. It calls `tell` with the number of lost lines as soon as
    /// others can be written again.
    pub(super) fn new(
        output: impl Write + Send + 'static,
        tell: impl Fn(usize) + Send + 'static,
    ) -> LogWriter {
        let shared = Arc::new(Shared::default());
        let writer = LogWriter { shared: Arc::clone(&shared) };
        let thread = thread::Builder::new().name("log".to_owned());
        if let Err(error) = thread.spawn(move || shared.write_all(output, tell)) {
            // If standard error fails, too, there is nowhere to report it.
            let _ = writeln!(io::stderr(), "there will be no log: {error}");
        }
        writer
    }

    /// Waits until everything is written, but no longer than `time`; not at all
    /// if an earlier wait timed out and nothing was written since.
    pub(super) fn flush_within(&self, time: Duration) {
        let end = Instant::now() + time;
        let mut buffer = self.shared.lock();
        while (!buffer.text.is_empty() || buffer.is_writing) && !buffer.is_stalled {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                buffer.is_stalled = true;
                return;
            }
            let waited = self.shared.emptied.wait_timeout(buffer, left);
            buffer = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Write for LogWriter {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let is_own = self.shared.thread.get() == Some(&thread::current().id());
        let bound = BUFFER_BYTES + if is_own { NOTICE_BYTES } else { 0 };
        let mut buffer = self.shared.lock();
        // A line that is too long by itself is written nevertheless.
        if !buffer.text.is_empty() && buffer.text.len() + text.len() > bound {
            buffer.lost += lines(text);
        } else {
            buffer.text.extend_from_slice(text);
            self.shared.filled.notify_one();
        }
        Ok(text.len())
    }

    /// Does nothing: the thread writes lines as they come.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Buffer> {
        // No code panics while it holds the lock.
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the lines that come, for ever.
    fn write_all(&self, mut output: impl Write, tell: impl Fn(usize)) {
        let _ = self.thread.set(thread::current().id());
        let mut lost = 0;
        // Whether the last text written ends in the middle of a line.
        let mut is_torn = false;
        loop {
            let Buffer { mut text, lost: without_room, .. } = self.take();
            if is_torn {
                text.insert(0, b'\n');
            }
            let written = write(&mut output, &text);
            if let Some(last) = text[..written].last() {
                is_torn = *last != b'\n';
            }
            lost += lines(&text[written..]) + without_room;
            if written == text.len() && lost > 0 {
                tell(std::mem::take(&mut lost));
            }
        }
    }

    /// Waits for something to write.
    fn take(&self) -> Buffer {
        let mut buffer = self.lock();
        (buffer.is_writing, buffer.is_stalled) = (false, false);
        while buffer.text.is_empty() {
            self.emptied.notify_all();
            buffer = self.filled.wait(buffer).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::replace(&mut buffer, Buffer { is_writing: true, ..Buffer::default() })
    }
}

fn lines(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

/// Writes as much as possible; returns how many bytes that was.
fn write(output: &mut impl Write, text: &[u8]) -> usize {
    let mut written = 0;
    while written < text.len() {
        match output.write(&text[written..]) {
            Ok(0) => break,
            Ok(bytes) => written += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(_) => break,
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// An output that takes as much of each line as the test tells it, and
    /// nothing before that.
    struct Output {
        takes: mpsc::Receiver<Result<usize, io::ErrorKind>>,
        taken: mpsc::Sender<String>,
    }

    impl Write for Output {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let bytes = self.takes.recv().unwrap_or(Ok(usize::MAX))?.min(text.len());
            let _ = self.taken.send(String::from_utf8_lossy(&text[..bytes]).into_owned());
            Ok(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Written {
        writer: LogWriter,
        takes: mpsc::Sender<Result<usize, io::ErrorKind>>,
        taken: mpsc::Receiver<String>,
        lost: mpsc::Receiver<usize>,
    }

    fn writer() -> Written {
        let (takes, to_take) = mpsc::channel();
        let (to_taken, taken) = mpsc::channel();
        let (to_lost, lost) = mpsc::channel();
        let output = Output { takes: to_take, taken: to_taken };
        let writer = LogWriter::new(output, move |lines| to_lost.send(lines).unwrap());
        Written { writer, takes, taken, lost }
    }

    const ALL: Result<usize, io::ErrorKind> = Ok(usize::MAX);

    #[test]
    fn lines_that_fail_are_counted_and_told_when_others_dont() {
        let Written { mut writer, takes, taken, lost } = writer();
        takes.send(Err(io::ErrorKind::StorageFull)).unwrap();
        writer.write_all(b"one\ntwo\n").unwrap();
        // The thread has begun with these when there is nothing left to take.
        writer.flush_within(Duration::from_secs(30));
        takes.send(Ok(2)).unwrap();
        takes.send(Err(io::ErrorKind::StorageFull)).unwrap();
        writer.write_all(b"three\n").unwrap();
        writer.flush_within(Duration::from_secs(30));
        assert_eq!(taken.recv().unwrap(), "th");
        for _ in 0..2 {
            takes.send(ALL).unwrap();
        }
        writer.write_all(b"four\n").unwrap();
        assert_eq!(taken.recv().unwrap(), "\nfour\n", "a line of its own");
        assert_eq!(lost.recv().unwrap(), 3);
        writer.write_all(b"five\n").unwrap();
        assert_eq!(taken.recv().unwrap(), "five\n");
        assert!(lost.try_recv().is_err(), "told once");
    }

    #[test]
    fn an_output_that_takes_nothing_holds_up_nobody_and_memory_is_bounded() {
        let Written { mut writer, takes, taken, lost } = writer();
        let line = [b"x".repeat(99), b"\n".to_vec()].concat();
        let many = 3 * BUFFER_BYTES / line.len();
        for _ in 0..many {
            writer.write_all(&line).unwrap();
        }
        assert!(writer.shared.lock().text.len() <= BUFFER_BYTES);
        // The output takes some bytes at a time, as pipes do, and forces
        // retries.
        for takes_next in [Err(io::ErrorKind::Interrupted), Err(io::ErrorKind::WouldBlock), Ok(50)]
        {
            takes.send(takes_next).unwrap();
        }
        drop(takes);
        writer.flush_within(Duration::from_secs(30));
        let written: String = taken.try_iter().collect();
        let lost: usize = lost.try_iter().sum();
        assert!(lost > 0);
        assert_eq!(written.lines().count() + lost, many);
        assert!(written.lines().all(|written| written.len() == 99));
    }

    #[test]
    fn a_line_of_any_length_is_written() {
        let Written { mut writer, takes, taken, .. } = writer();
        let line = [b"x".repeat(2 * BUFFER_BYTES), b"\n".to_vec()].concat();
        drop(takes);
        writer.write_all(&line).unwrap();
        assert_eq!(taken.recv().unwrap().len(), line.len());
    }

    #[test]
    fn whoever_waits_for_an_output_that_takes_nothing_waits_no_longer_than_told() {
        let Written { mut writer, takes: _takes, taken, .. } = writer();
        writer.write_all(b"one\n").unwrap();
        writer.flush_within(Duration::from_millis(1));
        assert!(taken.try_recv().is_err());
        // Returns at once: the earlier wait timed out.
        writer.flush_within(Duration::from_secs(3600));
    }
}
