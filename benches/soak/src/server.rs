//! The server: passes on posted messages, and counts none itself.
//!
//! The publisher numbers the messages, so that any process can pass them on.

use std::alloc::System;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use cap::Cap;
use pode::certificate::pem;
use pode::prelude::*;
use pode::{Certificate, Protocol};

use crate::child;
use crate::faults::log_with_panics;

/// Counts allocated bytes, without those that the heap keeps for later use.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// A message, as it is posted and as clients receive it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Numbered {
    /// The stream that the number belongs to.
    pub(crate) stream: String,
    /// Counts from 1.
    pub(crate) number: u64,
    pub(crate) filling: String,
}

/// The group that a client asks to join: `?group=red`.
#[derive(Deserialize)]
struct Wish {
    group: String,
}

/// The bytes of an answer that doesn't fit into what the system buffers.
const LARGE: usize = 100_000;

/// How long `/block` blocks its thread, and a message to `/slow` takes.
pub(crate) const BLOCK: Duration = Duration::from_millis(200);
const SLOW: Duration = Duration::from_millis(50);

/// How many clients `/slow` may have.
const PLACES: usize = 3;

/// The handlers of `/slow` that run now, and the most that ever ran at once.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
static MOST_RUNNING: AtomicUsize = AtomicUsize::new(0);

/// A handler of `/slow`, until it ends or is dropped.
struct Running;

impl Running {
    fn begin() -> Running {
        let now = RUNNING.fetch_add(1, Ordering::SeqCst) + 1;
        MOST_RUNNING.fetch_max(now, Ordering::SeqCst);
        Running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The certificate of the tests, for `localhost`.
fn certificate() -> Certificate {
    let file = |name| format!("{}/{name}", crate::CERTIFICATES);
    pem(file("chain.pem"), file("key.pem"))
}

/// Declares the server, with further declarations.
macro_rules! soaked {
    (($($parameters:tt)*) $($besides:tt)*) => {
        pode_server! {
            /// The server under test.
            pub(super) server soaked(socket: PathBuf $($parameters)*) { hand_over: socket, drain: 3s };

            endpoint http "127.0.0.1:0";
            endpoint ws   "127.0.0.1:0";
            endpoint https "127.0.0.1:0" {
                certificate: certificate(),
                limits: Limits { write_timeout: 2s },
            };

            signal NEWS:  Numbered = "/news";
            signal TICKS: Numbered = "/ticks";
            /// So large that a client which doesn't read is soon disconnected.
            signal BULK:  Numbered = "/bulk";
            /// Has groups of clients.
            signal TEAM:  Numbered = "/team";
            on connect TEAM => async |event| {
                let Wish { group } = event.read_query()?;
                event.join_group(&group);
                Ok::<_, EventError>(())
            };
            signal TALK:  Numbered -> Numbered = "/talk" => async |event: SignalEvent<Numbered>, said| {
                event.reply(&said).await
            };
            /// Sends frequent heartbeats.
            signal BEAT:  Numbered = "/beat" { heartbeat: 2s };
            /// Takes seconds for the messages that a client sends at once.
            signal SLOW:  Numbered -> Numbered = "/slow" { max_clients: PLACES } => async |event: SignalEvent<Numbered>, said| {
                let _running = Running::begin();
                tokio::time::sleep(super::SLOW).await;
                event.reply(&said).await
            };

            route GET  "/"      => async |_| html("<!doctype html><title>Soaked</title>");
            route GET  "/heap"  => async |_| text(HEAP.allocated().to_string());
            route POST "/news"  (json: Numbered) => async |event: WebEvent, json| event.send(NEWS, &json).await;
            route POST "/ticks" (json: Numbered) => async |event: WebEvent, json| event.send(TICKS, &json).await;
            route POST "/bulk"  (json: Numbered) => async |event: WebEvent, json| event.send(BULK, &json).await;
            route POST "/team/:group" (group: String, json: Numbered) => async |event: WebEvent, group: String, json| {
                event.send(TEAM, &json).to_group(&group).await
            };

            route GET  "/block" => async |_| {
                std::thread::sleep(BLOCK);
                text("blocked")
            };
            route GET  "/large" => async |_| bytes("application/octet-stream", vec![0; LARGE]);
            route POST "/parts" (multipart: Multipart) => async |_, mut form: Multipart| -> Result<(), EventError> {
                while let Some(part) = form.next().await? {
                    part.bytes().await?;
                }
                Ok(())
            };
            /// Whether no more clients were ever served by `/slow` than may be.
            route GET  "/places" => async |_| match MOST_RUNNING.load(Ordering::SeqCst) {
                0..=PLACES => status(200),
                _ => status(500),
            };
            route GET  "/clients" => async |event: WebEvent| -> Result<_, SendError> {
                let mut clients = event.clients(FED).list().await?.len();
                for signal in [NEWS, TICKS, BULK, TEAM, BEAT] {
                    clients += event.clients(signal).list().await?.len();
                }
                for signal in [TALK, SHORT, SLOW] {
                    clients += event.clients(signal).list().await?.len();
                }
                Ok(text(clients.to_string()))
            };

            /// The messages of the upstream, if there is one.
            signal FED:   u64 = "/fed";
            /// Its home shard differs from that of the other signal where clients talk.
            signal SHORT: Numbered -> Numbered = "/short" => async |event: SignalEvent<Numbered>, said| {
                event.reply(&said).await
            };

            $($besides)*
        }
    };
}

mod plain {
    use super::*;

    soaked! { () }
}

/// With a task of each kind that a server has, and the routes that make them
/// panic.
mod with_faults {
    use super::*;
    use crate::faults::{self, seen};

    type Failed = Result<(), Box<dyn std::error::Error + Send + Sync>>;

    soaked! {
        (, feed: String)

        route POST "/arm"  (body: String) => async |_, text: String| faults::arm(text);
        route POST "/fill" => async |_| faults::fill_log().await;
        route GET  "/seen" => async |_| json(&*seen());

        upstream FEED: u64 = feed { reconnect_delay: 10ms } => async |event, number: u64| {
            event.send(FED, &number).await
        };
        timer "beats" every 1s => async |_| -> Failed {
            seen().beats += 1;
            Err("as always".into())
        };
        schedule "minutes" cron "* * * * *" => async |_| -> Failed {
            seen().minutes += 1;
            Err("as always".into())
        };
    }
}

/// How many workers the server has: one of them may be blocked.
pub(crate) fn workers() -> usize {
    available_parallelism().map_or(2, |cores| cores.get().max(2))
}

/// Serves, and hands over by this socket. With the URL of an upstream, it is the server
/// with faults.
///
/// # Errors
///
/// As for [`child::serve`].
pub(crate) fn serve(socket: PathBuf, feed: Option<String>) -> io::Result<()> {
    let server = match feed {
        None => plain::soaked(socket),
        Some(feed) => {
            log_with_panics();
            with_faults::soaked(socket, feed)
        }
    };
    child::serve(server, workers(), [Protocol::Ws, Protocol::Https])
}
