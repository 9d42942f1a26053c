//! A secret ballot: a page and a signal behind one certificate, on one port.
//!
//! Start it and open <https://127.0.0.1:8443/> in two windows: votes in one, or
//! by the command below, are counted in both. The page, its script and the
//! certificate are in the folder `secure` next to this file.
//!
//! The browser warns first, since the certificate is self-signed: choose to go
//! on. A client that is given the certificate trusts it:
//!
//! ```text
//! curl --cacert examples/secure/certificates/localhost.pem https://127.0.0.1:8443/votes -d choice=fresh
//! ```

use std::sync::{Mutex, MutexGuard, PoisonError};

use pode::prelude::*;

pode_server! {
    /// Takes votes over an encrypted connection, and sends the counts.
    pub server secure;

    views  "examples/secure/views";
    public "examples/secure/public";

    // Everyone may read this key. That of a real server lies where only the
    // server may read it, and is named with `.at_run_time()`.
    endpoint https "127.0.0.1:8443" {
        certificate: pem(
            "examples/secure/certificates/localhost.pem",
            "examples/secure/certificates/localhost.key",
        ),
    };
    // The same address, so the same certificate.
    endpoint wss "127.0.0.1:8443";

    state VOTES: Mutex<Count> = Mutex::default();

    signal COUNT: Count = "/count";

    route GET  "/"                   => view "index";
    route POST "/votes" (form: Vote) => vote;

    // At a fixed rate, however many votes come in. A page that was just opened
    // needn't request the counts.
    timer "count" every 250ms => count;
}

/// The counts that clients on `/count` receive four times a second.
#[derive(Clone, Copy, Default, Serialize)]
struct Count {
    fresh: u64,
    frozen: u64,
    mushy: u64,
    never: u64,
}

/// The field of the page's form, set by the button that was pressed.
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

/// Counts a vote; the page gets the new count from the signal, as all do.
async fn vote(event: WebEvent, vote: Vote) -> Result<(), EventError> {
    let mut count = lock(event.state(VOTES));
    *match vote.choice {
        Choice::Fresh => &mut count.fresh,
        Choice::Frozen => &mut count.frozen,
        Choice::Mushy => &mut count.mushy,
        Choice::Never => &mut count.never,
    } += 1;
    Ok(())
}

/// Sends the counts to all clients.
async fn count(event: TimerEvent) -> Result<(), SendError> {
    // The lock is released at the end of the statement, before any await.
    let count = *lock(event.state(VOTES));
    event.send(COUNT, &count).await
}

/// Locks the count, which is always consistent, even if a handler panicked.
fn lock(count: &Mutex<Count>) -> MutexGuard<'_, Count> {
    count.lock().unwrap_or_else(PoisonError::into_inner)
}

fn main() -> pode::Result {
    pode::log_to_terminal();
    secure().run_blocking()
}
