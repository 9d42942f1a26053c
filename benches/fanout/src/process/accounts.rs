//! The system's accounting of the time and the memory of processes.

use std::{fs, io};

/// Time on cores, as the system accounts it.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuTime {
    /// How long it ran, in nanoseconds.
    pub ran_ns: u64,
    /// How long it could have run while others did, in nanoseconds.
    pub waited_ns: u64,
    /// How many of the system's clock ticks found it in its own code.
    pub user_ticks: u64,
    /// How many ticks found it in the kernel.
    pub kernel_ticks: u64,
}

impl CpuTime {
    /// Returns the time of the threads of a process since they began.
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
        // After the name of the program, which may contain anything.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let mut ticks = fields.skip(11).map_while(|ticks| ticks.parse().ok());
        time.user_ticks = ticks.next().unwrap_or(0);
        time.kernel_ticks = ticks.next().unwrap_or(0);
        Ok(time)
    }

    /// Returns the time of this thread, without its ticks.
    ///
    /// # Errors
    ///
    /// The system doesn't provide it.
    pub fn of_this_thread() -> io::Result<CpuTime> {
        let (ran_ns, waited_ns) = ran_and_waited("/proc/thread-self/schedstat".as_ref())?;
        Ok(CpuTime { ran_ns, waited_ns, ..CpuTime::default() })
    }

    /// Returns the time since an earlier moment.
    pub fn since(self, earlier: CpuTime) -> CpuTime {
        CpuTime {
            ran_ns: self.ran_ns.saturating_sub(earlier.ran_ns),
            waited_ns: self.waited_ns.saturating_sub(earlier.waited_ns),
            user_ticks: self.user_ticks.saturating_sub(earlier.user_ticks),
            kernel_ticks: self.kernel_ticks.saturating_sub(earlier.kernel_ticks),
        }
    }

    /// Returns the share of the time in which it could run that it ran, from 0
    /// to 1.
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
/// There is no such process, or the system doesn't provide the figure.
pub fn anonymous_bytes(id: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = kibibytes.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kibibytes.ok_or(io::ErrorKind::Unsupported)? * 1024)
}
