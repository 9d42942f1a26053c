//! The return values of the handlers of timers, schedules, upstreams and
//! signals.

use std::error::Error as StdError;

use crate::base::error::{EventError, with_causes};
use crate::base::supervisor::{self, Panic};

/// An error of any type, as `?` makes it in a handler.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// What the handler of a timer, a schedule, an upstream or a signal may return:
/// nothing, or a `Result`. An error is logged; the events of a signal document
/// what else an error does there.
///
/// An error is anything that converts to `Box<dyn Error + Send + Sync>`, so `?`
/// works on everything.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is nothing that this handler can end with",
    label = "this handler can't return `{Self}`",
    note = "return `()`, or a `Result<(), E>`; a `send` is done by its `.await`"
)]
pub trait Outcome {
    /// Returns the error, if there is one.
    ///
    /// # Errors
    ///
    /// The handler's own.
    fn into_result(self) -> Result<(), BoxError>;
}

impl Outcome for () {
    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: HandlerError> Outcome for Result<(), E> {
    fn into_result(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

/// An error that a handler may return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no error that a handler can return",
    label = "this handler's error can't go to another thread, or is no error",
    note = "return an `EventError`, or a `Box<dyn std::error::Error + Send + Sync>`, into which `?` turns any error"
)]
pub trait HandlerError: Into<BoxError> {}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> HandlerError for E {}

/// What a handler returns as soon as it is called: an `async fn` and an `async`
/// closure return a future.
#[diagnostic::on_unimplemented(
    message = "this handler is not `async`",
    label = "returns `{Self}` at once",
    note = "write `async fn`, or `async |event|` for a closure"
)]
pub trait Asynchronous: Future<Output = <Self as Asynchronous>::Value> {
    /// The value in the end.
    type Value;
}

#[diagnostic::do_not_recommend]
impl<F: Future> Asynchronous for F {
    type Value = F::Output;
}

/// Why a handler failed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// It returned an answer for the client.
    Answer(EventError),
    /// A text for the log only.
    Reason(String),
}

impl From<BoxError> for Failed {
    fn from(error: BoxError) -> Failed {
        match error.downcast() {
            Ok(error) => Failed::Answer(*error),
            Err(error) => Failed::Reason(with_causes(&*error)),
        }
    }
}

/// Runs a handler to its end; a panic counts as a failure, too.
pub(crate) async fn caught(
    handler: impl Future<Output = Result<(), BoxError>>,
) -> Result<(), Failed> {
    // Formatting the error runs the handler's own code as well.
    let done = supervisor::caught(async { handler.await.map_err(Failed::from) }).await;
    done.unwrap_or_else(|panic| Err(Failed::Reason(panicked(&panic))))
}

/// Returns the log text for a panic of a handler, with its message.
pub(crate) fn panicked(panic: &Panic) -> String {
    format!("the handler panicked: {}", panic.words())
}

/// Runs a handler to its end, and returns a log text if it failed.
pub(crate) async fn failure(handler: impl Future<Output = Result<(), BoxError>>) -> Option<String> {
    caught(handler).await.err().map(|failed| match failed {
        Failed::Answer(error) => error.to_string(),
        Failed::Reason(reason) => reason,
    })
}
