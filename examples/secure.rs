//! A secret ballot: a page and a signal behind one certificate, on one port.
//!
//! Start it and open <https://127.0.0.1:8443/> in two windows: what is voted in
//! one, or by the command below, is counted in both. The page, its script and
//! the certificate are in the folder `secure` beside this file.
//!
//! The browser warns first, since the certificate is signed by nobody but itself:
//! choose to go on. A client that is told of the certificate has no doubts:
//!
//! ```text
//! curl --cacert examples/secure/certificates/localhost.pem https://127.0.0.1:8443/votes -d choice=fresh
//! ```

use std::sync::{Mutex, MutexGuard, PoisonError};

use pode::prelude::*;

pode_server! {
    /// Takes votes that nobody on the way can read, and tells how they stand.
    pub server secure;

    views  "examples/secure/views";
    public "examples/secure/public";

    // A password beside its file guards nothing. Elsewhere it would come by
    // `password_from_env`, or from a file that nobody else may read.
    endpoint https "127.0.0.1:8443" {
        certificate: pfx(
            "examples/secure/certificates/localhost.pfx",
            password_from_file("examples/secure/certificates/password.txt"),
        ),
    };
    // The same address, so the same certificate.
    endpoint wss "127.0.0.1:8443";

    state Mutex<Count> = Mutex::default();

    signal COUNT: Count = "/count";

    route GET  "/"                   => view "index";
    route POST "/votes" (form: Vote) => vote;

    // At one pace, however many votes come in. Whoever has just opened the page
    // needn't ask how they stand.
    timer "count" every 250ms => count;
}

/// How the votes stand: what clients on `/count` receive, four times a second.
#[derive(Clone, Copy, Default, Serialize)]
struct Count {
    fresh: u64,
    frozen: u64,
    mushy: u64,
    never: u64,
}

/// The field of the page's form, by the button that was pressed.
#[derive(Deserialize)]
struct Vote {
    choice: Choice,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Choice {
    Fresh,
    Frozen,
    Mushy,
    Never,
}

/// Counts a vote; the page hears of it by the signal, as everyone does.
async fn vote(event: WebEvent, vote: Vote) -> Result<(), EventError> {
    let mut count = lock(event.state()?);
    *match vote.choice {
        Choice::Fresh => &mut count.fresh,
        Choice::Frozen => &mut count.frozen,
        Choice::Mushy => &mut count.mushy,
        Choice::Never => &mut count.never,
    } += 1;
    Ok(())
}

/// Tells everyone how the votes stand.
async fn count(event: TimerEvent) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // The lock ends with the statement, before anything waits.
    let count = *lock(event.state()?);
    Ok(event.send(COUNT, &count).await?)
}

/// Locks the count, which is whole at any time, even if a handler panicked.
fn lock(count: &Mutex<Count>) -> MutexGuard<'_, Count> {
    count.lock().unwrap_or_else(PoisonError::into_inner)
}

fn main() -> pode::Result {
    pode::log_to_terminal();
    secure().run_blocking()
}
