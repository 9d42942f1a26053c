//! The server: passes on what is posted, and counts nothing itself.
//!
//! Messages are numbered by whoever posts them, so that whichever process
//! serves may pass them on.

use std::alloc::System;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use cap::Cap;
use pode::Protocol;
use pode::prelude::*;

/// Knows how much is allocated: what the heap keeps for later use is not in it.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// A message, as it is posted and as clients get it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Numbered {
    /// Whose number it is.
    pub(crate) stream: String,
    /// Counts from 1.
    pub(crate) number: u64,
    pub(crate) filling: String,
}

/// The group that a client asks to be in: `?group=red`.
#[derive(Deserialize)]
struct Wish {
    group: String,
}

pode_server! {
    /// Is soaked.
    server soaked(socket: PathBuf) { hand_over: socket, drain: 3s };

    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";

    signal NEWS:  Numbered = "/news";
    signal TICKS: Numbered = "/ticks";
    /// So large that who doesn't read is soon cut off.
    signal BULK:  Numbered = "/bulk";
    /// Has groups.
    signal TEAM:  Numbered = "/team";
    on connect TEAM => async |event| {
        let Wish { group } = event.read_query()?;
        event.join_group(&group);
        Ok::<_, EventError>(())
    };
    signal TALK:  Numbered -> Numbered = "/talk" => async |event: SignalEvent<Numbered>, said| {
        event.reply(&said).await
    };
    /// Asks often whether its clients are there.
    signal BEAT:  Numbered = "/beat" { heartbeat: 2s };

    route GET  "/"      => async |_| html("<!doctype html><title>Soaked</title>");
    route GET  "/heap"  => async |_| text(HEAP.allocated().to_string());
    route POST "/news"  (json: Numbered) => async |event: WebEvent, json| event.send(NEWS, &json).await;
    route POST "/ticks" (json: Numbered) => async |event: WebEvent, json| event.send(TICKS, &json).await;
    route POST "/bulk"  (json: Numbered) => async |event: WebEvent, json| event.send(BULK, &json).await;
    route POST "/team/:group" (group: String, json: Numbered) => async |event: WebEvent, group: String, json| {
        event.send(TEAM, &json).to_group(&group).await
    };
}

/// Serves until the standard input ends, or another process has taken over by
/// this socket. First of all it prints `listening PORT`.
///
/// # Errors
///
/// The server doesn't start.
pub(crate) fn serve(socket: PathBuf) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let running = soaked(socket).start().await.map_err(io::Error::other)?;
        let address = running.address(Protocol::Ws).ok_or(io::ErrorKind::AddrNotAvailable)?;
        let mut output = io::stdout();
        writeln!(output, "listening {}", address.port())?;
        output.flush()?;
        let input = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()));
        tokio::select! {
            read = input => drop(read.map_err(io::Error::other)??),
            () = running.handed_over() => {}
        }
        running.stop().await;
        Ok::<_, io::Error>(())
    })?;
    // Whoever reads the input may wait for its end.
    runtime.shutdown_background();
    Ok(())
}
