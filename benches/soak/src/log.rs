//! Reads the log of a server: continuously, with a pause, or not any more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::ChildStderr;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Reads a log whose lines begin with their numbers.
#[derive(Debug)]
pub(crate) struct Log {
    heard: Arc<Mutex<Heard>>,
    pausing: watch::Sender<bool>,
    reading: JoinHandle<()>,
}

/// The contents that were read so far.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) lines: u64,
    /// How many lines are missing, as the log itself says.
    pub(crate) missing: u64,
    /// The lines about tasks that panicked.
    pub(crate) panics: Vec<String>,
    /// The first line that is not a line of the log.
    pub(crate) strange: Option<String>,
}

impl Log {
    pub(crate) fn read(output: ChildStderr) -> Log {
        let heard = Arc::<Mutex<Heard>>::default();
        let (pausing, mut pauses) = watch::channel(false);
        let hears = Arc::clone(&heard);
        let reading = tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while pauses.wait_for(|pauses| !pauses).await.is_ok()
                && let Ok(Some(line)) = lines.next_line().await
            {
                lock(&hears).take(line);
            }
        });
        Log { heard, pausing, reading }
    }

    pub(crate) fn heard(&self) -> MutexGuard<'_, Heard> {
        lock(&self.heard)
    }

    /// Pauses or resumes reading; a pausing log still reads a few kibibytes.
    pub(crate) fn pause(&self, pauses: bool) {
        self.pausing.send_replace(pauses);
    }

    /// Stops reading for good.
    pub(crate) async fn close(self) {
        self.reading.abort();
        // An error means that the task has ended.
        let _ = self.reading.await;
    }
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Heard {
    fn take(&mut self, line: String) {
        let (number, text) = line.split_once(' ').unwrap_or_default();
        if number.parse::<u64>().is_err() {
            self.strange.get_or_insert(line);
            return;
        }
        self.lines += 1;
        if let Some((before, _)) = text.split_once(" lines of the log could not be written") {
            let number = before.rsplit(' ').next().and_then(|number| number.parse::<u64>().ok());
            self.missing += number.unwrap_or_default();
        } else if text.contains(" panicked: ") {
            self.panics.push(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_those_that_count_are_understood() {
        let mut heard = Heard::default();
        heard.take("1  INFO what is said".to_owned());
        heard.take("3  WARN 120 lines of the log could not be written, and are missing".to_owned());
        heard.take("2 ERROR timer `beats` panicked: \"why\"; it starts again".to_owned());
        assert_eq!((heard.lines, heard.missing, heard.panics.len()), (3, 120, 1));
        assert_eq!(heard.strange, None);
        heard.take("memory allocation failed".to_owned());
        assert_eq!(heard.lines, 3);
        assert_eq!(heard.strange.as_deref(), Some("memory allocation failed"));
    }
}
