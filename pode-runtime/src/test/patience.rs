//! How long a test waits, and how it fails.

use std::error::Error;
use std::fmt::Display;
use std::panic::Location;
use std::time::Duration;

use tokio::time::timeout;

use crate::base::error::with_causes;

/// What a wait may take, and who waits: the line of the test.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    deadline: Duration,
    place: &'static Location<'static>,
}

impl Patience {
    #[track_caller]
    pub(super) fn new(deadline: Duration) -> Patience {
        Patience { deadline, place: Location::caller() }
    }

    /// Waits for what is to come within the deadline.
    pub(super) async fn wait<T>(
        self,
        what: impl Display + Send,
        coming: impl Future<Output = T>,
    ) -> T {
        match timeout(self.deadline, coming).await {
            Ok(come) => come,
            Err(_) => self.fail(format_args!("waited {:?} for {what}", self.deadline)),
        }
    }

    /// Fails the test at its line, which an async function doesn't know.
    pub(super) fn fail(self, why: impl Display) -> ! {
        panic!("{}: {why}", self.place)
    }
}

/// The result that a test relies on.
pub(super) trait OrFail<T> {
    fn or_fail(self, patience: Patience, what: impl Display) -> T;
}

impl<T, E: Error + 'static> OrFail<T> for Result<T, E> {
    fn or_fail(self, patience: Patience, what: impl Display) -> T {
        let fail = |error| patience.fail(format_args!("{what}: {}", with_causes(&error)));
        self.unwrap_or_else(fail)
    }
}
