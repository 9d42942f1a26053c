//! The current time.
//!
//! There are two clocks. The monotonic one is tokio's, which never jumps; it
//! paces timers and every wait, and tests pause it. The other is the wall
//! clock, by which schedules fire. People and time servers set it, so it is an
//! input, which a test may also set.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::base::supervisor::unwinding_stops_here;
use crate::base::trouble::Trouble;

/// A wall clock and its time zone.
pub(crate) trait Clock: Send + Sync + 'static {
    /// Returns the current time.
    fn wall(&self) -> Zoned;

    /// Returns the current moment, without reading a time zone.
    fn now(&self) -> Timestamp {
        self.wall().timestamp()
    }
}

/// The clock of this machine, in its local time zone. While the zone can't be
/// read, this uses the last known one, or UTC if it was never read, and logs
/// that.
#[derive(Debug, Default)]
pub(crate) struct SystemClock {
    zone: Mutex<LocalZone>,
}

#[derive(Debug, Default)]
struct LocalZone {
    /// The zone as last read.
    known: Option<TimeZone>,
    /// That the zone can't be read.
    trouble: Trouble,
}

impl Clock for SystemClock {
    fn wall(&self) -> Zoned {
        self.now().to_zoned(self.zone())
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl SystemClock {
    fn zone(&self) -> TimeZone {
        let mut zone = self.zone.lock().unwrap_or_else(PoisonError::into_inner);
        let LocalZone { known, trouble } = &mut *zone;
        match read_zone(known.as_ref()) {
            Ok(zone) => {
                if trouble.ends() {
                    unwinding_stops_here(|| {
                        tracing::info!("the time zone can be read again; schedules go by it");
                    });
                }
                known.insert(zone).clone()
            }
            Err(name) => {
                if trouble.begins() {
                    unwinding_stops_here(|| tell_of_an_unreadable_zone(&name, known.is_some()));
                }
                known.clone().unwrap_or(TimeZone::UTC)
            }
        }
    }
}

/// Returns the local time zone, or the name of the zone that can't be read.
///
/// The zone is UTC if none was chosen: on a Unix machine that has no
/// `/etc/localtime` and had no other zone before, or whose `/etc/localtime`
/// links to UTC without a time zone database, as in container images.
fn read_zone(known: Option<&TimeZone>) -> Result<TimeZone, String> {
    if let Ok(zone) = TimeZone::try_system() {
        return Ok(zone);
    }
    let file = Path::new("/etc/localtime");
    let was_chosen = known.is_some_and(|zone| *zone != TimeZone::UTC);
    match (std::env::var_os("TZ"), file.read_link()) {
        // In Debug form, so that it can't write log lines of its own.
        (Some(zone), _) => Err(format!("TZ={zone:?}")),
        (None, Ok(target)) if target.ends_with("UTC") => Ok(TimeZone::UTC),
        (None, Err(_)) if cfg!(unix) && !was_chosen && !file.exists() => Ok(TimeZone::UTC),
        (None, _) if cfg!(unix) => Err(file.display().to_string()),
        (None, _) => Err("of the system".to_owned()),
    }
}

fn tell_of_an_unreadable_zone(name: &str, was_known: bool) {
    if was_known {
        tracing::warn!(
            "the time zone {name} can't be read any more, so schedules go by what it was"
        );
        return;
    }
    tracing::warn!(
        "the time zone {name} can't be read, so schedules go by UTC; set TZ to a name such as \
         `Europe/Berlin`, which needs the time zone database (Debian's `tzdata`), or to a rule \
         such as `CET-1CEST,M3.5.0,M10.5.0/3`"
    );
}

// A separate process reads the system's files.
#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;
    use crate::base::log::Collected;

    /// The folder of that process's time zones, which it may change.
    const ZONES: &str = "PODE_TEST_ZONES";

    const THIS_TEST: &str =
        "base::clock::tests::a_zone_that_becomes_unreadable_is_gone_by_and_told_once";

    #[test]
    fn a_zone_that_becomes_unreadable_is_gone_by_and_told_once() {
        let Some(zones) = std::env::var_os(ZONES).map(PathBuf::from) else {
            let zones = std::env::temp_dir().join(format!("pode-zones-{}", std::process::id()));
            fs::create_dir_all(zones.join("Test")).unwrap();
            let done = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", THIS_TEST, "--nocapture"])
                .envs([("TZ", "Test/Here".as_ref()), ("TZDIR", &*zones), (ZONES, &*zones)])
                .status();
            let has_run = zones.join("Test/Here").exists();
            fs::remove_dir_all(&zones).unwrap();
            assert!(done.unwrap().success() && has_run);
            return;
        };

        let (log, _guard) = Collected::begin();
        let here = zones.join("Test/Here");
        let is = |zone: &str| {
            let file = Path::new("/usr/share/zoneinfo").join(zone);
            fs::copy(file, &here).expect("on Debian, install `tzdata`");
        };
        let clock = SystemClock::default();
        let shown = || {
            // As happens by itself after some minutes.
            jiff::tz::db().reset();
            jiff::tz::reset_system_time_zone_cache();
            clock.wall().strftime("%Z").to_string()
        };
        is("Asia/Kolkata");
        assert_eq!(shown(), "IST");
        // A changed zone is adopted.
        is("Asia/Tokyo");
        assert_eq!(shown(), "JST");
        assert_eq!(log.text(), "");

        let told = " WARN the time zone TZ=\"Test/Here\" can't be read any more, so schedules go \
                    by what it was\n";
        fs::write(&here, "TZif3, and nothing of it").unwrap();
        for _ in 0..3 {
            assert_eq!(shown(), "JST");
            assert_eq!(log.text(), told);
        }
        fs::remove_dir_all(zones.join("Test")).unwrap();
        assert_eq!(shown(), "JST");
        assert_eq!(log.text(), told);

        fs::create_dir(zones.join("Test")).unwrap();
        is("Asia/Kolkata");
        assert_eq!(shown(), "IST");
        let over = " INFO the time zone can be read again; schedules go by it\n";
        assert_eq!(log.text(), format!("{told}{over}"));
    }
}
