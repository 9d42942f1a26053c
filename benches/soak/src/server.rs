//! The server: passes on posted messages, and counts none itself.
//!
//! The publisher numbers the messages, so that any process can pass them on.

use std::alloc::System;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use cap::Cap;
use pode::Protocol;
use pode::prelude::*;

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

/// Declares the server, with further declarations.
macro_rules! soaked {
    (($($parameters:tt)*) $($besides:tt)*) => {
        pode_server! {
            /// The server under test.
            pub(super) server soaked(socket: PathBuf $($parameters)*) { hand_over: socket, drain: 3s };

            endpoint http "127.0.0.1:0";
            endpoint ws   "127.0.0.1:0";

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

            route GET  "/"      => async |_| html("<!doctype html><title>Soaked</title>");
            route GET  "/heap"  => async |_| text(HEAP.allocated().to_string());
            route POST "/news"  (json: Numbered) => async |event: WebEvent, json| event.send(NEWS, &json).await;
            route POST "/ticks" (json: Numbered) => async |event: WebEvent, json| event.send(TICKS, &json).await;
            route POST "/bulk"  (json: Numbered) => async |event: WebEvent, json| event.send(BULK, &json).await;
            route POST "/team/:group" (group: String, json: Numbered) => async |event: WebEvent, group: String, json| {
                event.send(TEAM, &json).to_group(&group).await
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

        endpoint https "127.0.0.1:0" { certificate: self_signed() };

        route POST "/arm"  (body: String) => async |_, text: String| faults::arm(text);
        route POST "/fill" => async |_| faults::fill_log().await;
        route GET  "/seen" => async |_| json(&*seen());
        route GET  "/clients" => async |event: WebEvent| -> Result<_, SendError> {
            let mut clients = event.clients(FED).list().await?.len();
            for signal in [NEWS, TICKS, BULK, TEAM, BEAT] {
                clients += event.clients(signal).list().await?.len();
            }
            for signal in [TALK, SHORT] {
                clients += event.clients(signal).list().await?.len();
            }
            Ok(text(clients.to_string()))
        };

        /// The messages of the upstream.
        signal FED:   u64 = "/fed";
        /// Its home shard differs from that of the other signal where clients talk.
        signal SHORT: Numbered -> Numbered = "/short" => async |event: SignalEvent<Numbered>, said| {
            event.reply(&said).await
        };
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

/// Serves until the standard input ends, or another process has taken over by
/// this socket. First it prints `listening PORT`. With the URL of an upstream,
/// it is the server with faults.
///
/// # Errors
///
/// The server doesn't start, or can't go on.
pub(crate) fn serve(socket: PathBuf, feed: Option<String>) -> io::Result<()> {
    let server = match feed {
        None => plain::soaked(socket),
        Some(feed) => {
            log_with_panics();
            with_faults::soaked(socket, feed)
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let running = server.start().await.map_err(io::Error::other)?;
        let address = running.address(Protocol::Ws).ok_or(io::ErrorKind::AddrNotAvailable)?;
        let mut output = io::stdout();
        writeln!(output, "listening {}", address.port())?;
        output.flush()?;
        let input = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()));
        tokio::select! {
            read = input => drop(read.map_err(io::Error::other)??),
            () = running.handed_over() => {}
            error = running.failed() => return Err(io::Error::other(error)),
        }
        running.stop().await;
        Ok::<_, io::Error>(())
    })?;
    // The task that reads the input may still wait for its end.
    runtime.shutdown_background();
    Ok(())
}
