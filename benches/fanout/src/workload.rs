//! The workloads.

use crate::protocol::Publish;

/// A workload to measure.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// The name on the command line.
    pub name: &'static str,
    /// A short description.
    pub title: &'static str,
    /// The number of clients that read.
    pub clients: usize,
    /// The number of paths, over which the clients are spread evenly.
    pub paths: usize,
    /// The messages that are published in a second.
    pub publish: PerSecond,
    /// What is measured besides time and deliveries.
    pub kind: Kind,
    /// Whether clients connect by TLS.
    pub tls: bool,
    /// The servers to which the others are compared; the first that was
    /// measured is drawn.
    pub references: &'static [&'static str],
}

/// The messages that are published in a second.
#[derive(Clone, Copy, Debug)]
pub struct PerSecond {
    /// The size of a message, in bytes of WebSocket payload.
    pub payload_bytes: usize,
    /// Messages in a second, over all paths.
    pub messages: u64,
    /// How many are due together.
    pub burst: u64,
}

/// What is measured besides time and deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Steady,
    /// The memory of idle clients.
    Idle,
    /// More messages than can be delivered one by one.
    Overload,
    /// The run is repeated with this many additional clients that read nothing.
    Stuck(usize),
    /// The run is repeated after this many clients came at once and left.
    Peak(usize),
    /// All clients are cut at once, miss this many messages, and come back.
    Resume(u64),
}

/// All workloads, in the order in which they run.
pub const WORKLOADS: [Workload; 12] = [
    steady("W1", "1,000 clients, 50 messages/s of 128 B", 1_000, 1, per_second(128, 50)),
    steady("W2", "10,000 clients, 5 messages/s of 128 B", 10_000, 1, per_second(128, 5)),
    steady("W3", "1,000 clients, 10 messages/s of 16 KiB", 1_000, 1, per_second(16 << 10, 10)),
    steady(
        "W4",
        "1,000 paths of 10 clients each, 5,000 messages/s of 128 B in total",
        10_000,
        1_000,
        per_second(128, 5_000),
    ),
    Workload {
        kind: Kind::Idle,
        ..steady("W5", "10,000 clients that wait", 10_000, 1, per_second(128, 5))
    },
    Workload {
        kind: Kind::Idle,
        tls: true,
        ..steady("W5S", "10,000 clients that wait behind TLS", 10_000, 1, per_second(128, 5))
    },
    Workload {
        publish: PerSecond { burst: 100, ..per_second(128, 500) },
        references: &["floor-cork"],
        ..steady("W6", "1,000 clients, 5 bursts/s of 100 messages of 128 B", 1_000, 1, NOTHING)
    },
    Workload {
        tls: true,
        references: &["bun", "floor"],
        ..steady("W7", "1,000 TLS clients, 25 messages/s of 128 B", 1_000, 1, per_second(128, 25))
    },
    Workload {
        kind: Kind::Overload,
        references: &["floor-cork"],
        ..steady(
            "MAX",
            "1,000 clients, 8,000 messages/s of 128 B",
            1_000,
            1,
            per_second(128, 8_000),
        )
    },
    Workload {
        kind: Kind::Stuck(50),
        ..steady(
            "SLOW",
            "450 clients, 100 messages/s of 16 KiB, beside 50 clients that read nothing",
            450,
            1,
            per_second(16 << 10, 100),
        )
    },
    Workload {
        kind: Kind::Peak(18_000),
        ..steady(
            "PEAK",
            "10 clients, 500 messages/s of 128 B, after 18,000 others have come and gone",
            10,
            1,
            per_second(128, 500),
        )
    },
    Workload {
        kind: Kind::Resume(100),
        references: &["pode", "nginx-nchan-history"],
        ..steady(
            "RESUME",
            "10,000 clients that come back at once, each for 100 messages of 128 B",
            10_000,
            1,
            per_second(128, 1_000),
        )
    },
];

const NOTHING: PerSecond = per_second(0, 0);

pub(crate) const fn per_second(payload_bytes: usize, messages: u64) -> PerSecond {
    PerSecond { payload_bytes, messages, burst: 1 }
}

pub(crate) const fn steady(
    name: &'static str,
    title: &'static str,
    clients: usize,
    paths: usize,
    publish: PerSecond,
) -> Workload {
    let references = &["floor"];
    Workload { name, title, clients, paths, publish, kind: Kind::Steady, tls: false, references }
}

impl Workload {
    /// Returns the workload of this name.
    pub fn find(name: &str) -> Option<Workload> {
        WORKLOADS.into_iter().find(|workload| workload.name == name)
    }

    /// Returns the request to publish for this many seconds, or for three times
    /// as many with clients that read nothing: at least one burst, and the same
    /// number of messages on each path. What clients miss is a fixed number.
    pub fn publish(&self, seconds: f64) -> Publish {
        let PerSecond { payload_bytes, messages, burst } = self.publish;
        if let Kind::Resume(missed) = self.kind {
            return Publish { payload_bytes, messages: missed, rate: messages, burst };
        }
        // The kernel's buffers for a client that reads nothing, some
        // megabytes, should be full for most of the time.
        let seconds = if matches!(self.kind, Kind::Stuck(_)) { 3.0 * seconds } else { seconds };
        let unit = burst.max(self.paths as u64);
        let units = (messages as f64 * seconds / unit as f64).round().max(1.0) as u64;
        Publish { payload_bytes, messages: units * unit, rate: messages, burst }
    }

    /// Returns the request to publish before the measurement: some messages to
    /// every client, at a rate that every server can follow.
    pub fn warm_up(&self) -> Publish {
        let paths = self.paths as u64;
        let payload_bytes = self.publish.payload_bytes;
        Publish { payload_bytes, messages: 5 * paths, rate: 10 * paths, burst: 1 }
    }

    /// Returns whether a server takes part.
    pub fn includes(&self, server: &str) -> bool {
        let resumes = matches!(self.kind, Kind::Resume(_));
        match server {
            "floor" | "pode" => true,
            "pode-history" => !self.tls,
            "floor-history" | "nginx-nchan-history" | "socket-io" => resumes,
            _ if resumes => false,
            "floor-cork" => self.references.contains(&server),
            "warp-by-hand" | "pode-room" | "pode-v1" => !self.tls,
            "pode-group" => self.paths == 1 && !self.tls,
            _ => true,
        }
    }
}
