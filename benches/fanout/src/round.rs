//! One server under one workload, once.

use std::collections::HashSet;
use std::io;

use serde::{Deserialize, Serialize};

use crate::certificate::Certificate;
use crate::clients::{self, Clients, Outcome};
use crate::process::{CpuTime, Program, Server, anonymous_bytes, unsent_bytes};
use crate::protocol::Publish;
use crate::workload::{Kind, Workload};

/// How often the warm-up is repeated until every client got everything: a
/// server may admit clients a little after it answered their handshake.
const WARM_UPS: usize = 10;

/// How many clients come before those whose memory is measured.
const IDLE_BEFORE: usize = 1_000;

/// The raw measurements, as they are written to the file of rounds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Round {
    /// The workload's name.
    pub workload: String,
    /// The server's name.
    pub server: String,
    /// Counts from 0. Servers are compared within a round.
    pub round: usize,
    /// Whether the round doesn't count, since the generator got too little of
    /// its core; set by the caller, which knows the threshold.
    pub dropped: bool,
    /// How many messages were to be published.
    pub offered: u64,
    /// How many messages were published.
    pub published: u64,
    /// How many messages were received, over all clients.
    pub delivered: u64,
    /// How many messages were published and not received, over all clients.
    pub lost: u64,
    /// How many messages came after one that was published later.
    pub out_of_order: u64,
    /// How many reading clients the server disconnected.
    pub cut_off: u64,
    /// From the request to the last message.
    pub seconds: f64,
    /// The time that the server's process ran on its core, in nanoseconds.
    pub server_ns: u64,
    /// How long it waited for other processes on its core, in nanoseconds.
    pub server_waited_ns: u64,
    /// The system's clock ticks that found the server in its own code.
    pub user_ticks: u64,
    /// The ticks that found it in the kernel.
    pub kernel_ticks: u64,
    /// Which share of the time in which it could run the generator did run.
    pub generator_share: f64,
    /// Whether the server might run on the generator's core; then the
    /// generator's share says nothing about other processes.
    pub shared_core: bool,
    /// The median latency from publishing to reading, in nanoseconds.
    pub p50_ns: u64,
    /// The 99th percentile of latencies.
    pub p99_ns: u64,
    /// The 99.9th percentile of latencies.
    pub p999_ns: u64,
    /// How much the server's memory grew for each idle client, in bytes.
    pub idle_bytes: Option<f64>,
    /// How much it grew at most for each client that reads nothing, in bytes.
    pub stuck_bytes: Option<f64>,
    /// How many unsent bytes the kernel held at most for each of them; absent
    /// where the kernel doesn't report it.
    pub stuck_kernel_bytes: Option<f64>,
    /// `p99_ns` before those clients came.
    pub p99_before_ns: Option<u64>,
    /// The cost of a delivery before the peak, in nanoseconds.
    pub cost_before_ns: Option<f64>,
    /// How much larger the server's memory was after the peak than before it,
    /// in bytes.
    pub kept_bytes: Option<u64>,
    /// How many clients came back after they were cut.
    pub returned: Option<u64>,
    /// How much the server's memory grew at most from before the cut until the last
    /// client had what it missed, for each of them, in bytes.
    pub return_bytes: Option<f64>,
}

/// The length of the measured window, and the cores.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// How long the server publishes.
    pub seconds: f64,
    /// The cores of the server; any if there are none. The generator runs where
    /// the calling thread does.
    pub server_cores: &'a [usize],
}

/// Measures a server under a workload.
///
/// # Errors
///
/// It doesn't start, refuses a client or ends before it is done.
pub fn measure(workload: &Workload, program: &Program, setting: Setting<'_>) -> io::Result<Round> {
    let certificate = if workload.tls { Some(Certificate::new()?) } else { None };
    let folder = certificate.as_ref().map(Certificate::folder);
    let mut server = Server::start(program, workload.paths, folder, setting.server_cores)?;
    let id = server.id();
    let mut round = Round {
        workload: workload.name.to_owned(),
        server: program.name.clone(),
        ..Round::default()
    };

    if workload.kind == Kind::Idle {
        // Memory that the first handshakes allocate, and that later ones use
        // again, doesn't count.
        let mut first = Clients::open(&server, IDLE_BEFORE, workload.paths)?;
        warm_up(&mut first, &mut server, workload)?;
        let before = anonymous_bytes(id)?;
        let mut clients = Clients::open(&server, workload.clients, workload.paths)?;
        drop(first);
        warm_up(&mut clients, &mut server, workload)?;
        let grown = anonymous_bytes(id)?.saturating_sub(before);
        round.idle_bytes = Some(grown as f64 / workload.clients as f64);
        round.generator_share = 1.0;
        return Ok(round);
    }

    let publish = workload.publish(setting.seconds);
    round.offered = publish.messages;
    let mut clients = Clients::open(&server, workload.clients, workload.paths)?;
    let position = warm_up(&mut clients, &mut server, workload)?.position;
    if matches!(workload.kind, Kind::Resume(_)) {
        round.resume(&mut clients, &mut server, &publish, position)?;
        return Ok(round);
    }
    if let Kind::Peak(peak) = workload.kind {
        round.window(&mut server, |server| clients.run(server, &publish, || Ok(())))?;
        round.cost_before_ns = Some(round.cost_ns());
        let before = anonymous_bytes(id)?;
        drop(clients);
        let peak = clients::connect_stuck(&server, peak, workload.paths)?;
        // Those that stay come last, where a table would be at its largest.
        let mut clients = Clients::open(&server, workload.clients, workload.paths)?;
        drop(peak);
        server.settle()?;
        warm_up(&mut clients, &mut server, workload)?;
        round.window(&mut server, |server| clients.run(server, &publish, || Ok(())))?;
        round.kept_bytes = Some(anonymous_bytes(id)?.saturating_sub(before));
        return Ok(round);
    }
    let Kind::Stuck(stuck) = workload.kind else {
        round.window(&mut server, |server| clients.run(server, &publish, || Ok(())))?;
        return Ok(round);
    };
    let without = clients.run(&mut server, &publish, || Ok(()))?;
    round.p99_before_ns = Some(without.latency.percentile(99.0));
    let before = anonymous_bytes(id)?;
    let held = clients::connect_stuck(&server, stuck, workload.paths)?;
    let ports: io::Result<HashSet<u16>> =
        held.iter().map(|stream| Ok(stream.local_addr()?.port())).collect();
    let (port, ports) = (server.port(), ports?);
    let mut most = before;
    let mut most_unsent = None;
    round.window(&mut server, |server| {
        clients.run(server, &publish, || {
            most = most.max(anonymous_bytes(id)?);
            most_unsent = most_unsent.max(unsent_bytes(port, &ports).ok());
            Ok(())
        })
    })?;
    let each = |bytes| bytes as f64 / held.len() as f64;
    round.stuck_bytes = Some(each(most - before));
    round.stuck_kernel_bytes = most_unsent.map(each);
    Ok(round)
}

fn warm_up(clients: &mut Clients, server: &mut Server, workload: &Workload) -> io::Result<Outcome> {
    for _ in 0..WARM_UPS {
        let outcome = clients.run(server, &workload.warm_up(), || Ok(()))?;
        if outcome.lost == 0 {
            return Ok(outcome);
        }
    }
    Err(io::Error::other("clients that follow easily don't get everything"))
}

impl Round {
    /// Cuts all clients, which are at a position if the server keeps messages, and
    /// measures their return; then each is to get a live message, too.
    fn resume(
        &mut self,
        clients: &mut Clients,
        server: &mut Server,
        publish: &Publish,
        position: Option<String>,
    ) -> io::Result<()> {
        let id = server.id();
        let before = anonymous_bytes(id)?;
        let away = clients.cut(position);
        let returning = away.count();
        server.settle()?;
        let missed = clients.run(server, publish, || Ok(()))?.published;
        let mut most = anonymous_bytes(id)?;
        self.window(server, |server| {
            clients.come_back(server, away, missed, || {
                most = most.max(anonymous_bytes(id)?);
                Ok(())
            })
        })?;
        self.returned = Some(returning as u64);
        self.return_bytes = Some(most.saturating_sub(before) as f64 / returning as f64);
        let live = clients.run(server, &Publish { messages: 1, ..*publish }, || Ok(()))?;
        self.lost += live.lost;
        self.out_of_order += live.out_of_order;
        self.cut_off += live.cut_off;
        Ok(())
    }

    /// Measures a window: from the request, or the first return, until all messages
    /// arrived.
    fn window(
        &mut self,
        server: &mut Server,
        run: impl FnOnce(&mut Server) -> io::Result<Outcome>,
    ) -> io::Result<()> {
        let id = server.id();
        let (server_before, before) = (CpuTime::of_process(id)?, CpuTime::of_this_thread()?);
        let outcome = run(server)?;
        let server_time = CpuTime::of_process(id)?.since(server_before);
        self.generator_share = CpuTime::of_this_thread()?.since(before).share();
        self.server_ns = server_time.ran_ns;
        self.server_waited_ns = server_time.waited_ns;
        self.user_ticks = server_time.user_ticks;
        self.kernel_ticks = server_time.kernel_ticks;
        let Outcome { published, received, lost, out_of_order, cut_off, seconds, latency, .. } =
            outcome;
        (self.published, self.delivered, self.lost) = (published, received, lost);
        (self.out_of_order, self.cut_off, self.seconds) = (out_of_order, cut_off, seconds);
        self.p50_ns = latency.percentile(50.0);
        self.p99_ns = latency.percentile(99.0);
        self.p999_ns = latency.percentile(99.9);
        Ok(())
    }

    /// Returns the cost of a delivery, or of a client that came back, in nanoseconds
    /// of the server's core.
    pub fn cost_ns(&self) -> f64 {
        self.server_ns as f64 / self.returned.unwrap_or(self.delivered).max(1) as f64
    }

    /// Returns the cost of a delivery as a multiple of that before the peak;
    /// NaN if there was none.
    pub fn cost_times_before(&self) -> f64 {
        self.cost_ns() / self.cost_before_ns.unwrap_or(f64::NAN)
    }
}
