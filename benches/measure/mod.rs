//! The clocks of the benchmarks, and the output of their results.

#![allow(dead_code, reason = "each benchmark uses one of the clocks")]

use std::time::Duration;

/// Returns the processor time of this thread, which doesn't grow while other
/// programs have the processor.
#[cfg(unix)]
pub(crate) fn time_of_this_thread() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every thread has this clock").into()
}

/// Returns the processor time of all threads of this process.
#[cfg(unix)]
pub(crate) fn time_of_this_process() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("every process has this clock").into()
}

/// Returns the processor time of ended child processes, including their own
/// children.
#[cfg(unix)]
pub(crate) fn time_of_children() -> Duration {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("every process may ask for its own");
    let spent = usage.user_time() + usage.system_time();
    Duration::from_micros(spent.num_microseconds().try_into().expect("it is not negative"))
}

#[cfg(not(unix))]
pub(crate) use wall_time as time_of_this_thread;
#[cfg(not(unix))]
pub(crate) use wall_time as time_of_this_process;
#[cfg(not(unix))]
pub(crate) use wall_time as time_of_children;

/// Other systems use the wall clock.
#[cfg(not(unix))]
pub(crate) fn wall_time() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

/// Whether cargo was asked to measure; otherwise this run tests that the
/// benchmark still works, and one short round is enough.
pub(crate) fn is_measuring() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// Prints the median of the values of many rounds, and the quartiles around it.
pub(crate) fn tell(what: &str, unit: &str, rounds: impl Iterator<Item = f64>) {
    let mut sorted: Vec<f64> = rounds.collect();
    sorted.sort_by(f64::total_cmp);
    let at = |quarter: usize| sorted[(sorted.len() - 1) * quarter / 4];
    println!("{what:<44} {:>9.2} {unit:<5} ({:.2} to {:.2})", at(2), at(1), at(3));
}
