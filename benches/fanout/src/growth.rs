//! How the cost of a delivery grows: workloads that differ in a single figure.

use std::fmt::{self, Write};

use crate::round::Round;
use crate::table::{Compared, Quartiles, by_server};
use crate::workload::{PerSecond, Workload, per_second, steady};

/// The figure that grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Clients on one path.
    Clients,
    /// Paths over which the same clients are spread.
    Paths,
    /// The size of a message, in bytes.
    Payload,
    /// Cores of the server, under many paths.
    Cores,
}

/// All axes, in the order in which they are shown.
pub const AXES: [Axis; 4] = [Axis::Clients, Axis::Paths, Axis::Payload, Axis::Cores];

impl Axis {
    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Axis::Clients => "clients",
            Axis::Paths => "paths",
            Axis::Payload => "payload",
            Axis::Cores => "cores",
        }
    }

    /// The figures that stay the same, and notes on reading the results.
    pub const fn title(self) -> &'static str {
        match self {
            Axis::Clients => {
                "clients on one path, messages of 128 B, at most 50,000 deliveries/s and 1,000 \
                 messages/s"
            }
            Axis::Paths => "paths for 10,000 clients, messages of 128 B, 50,000 deliveries/s",
            Axis::Payload => "bytes of payload for 1,000 clients on one path, 5 messages/s",
            Axis::Cores => {
                "cores for the server, 10,000 clients on 1,000 paths, messages of 128 B, 50,000 \
                 deliveries/s. The floor has one thread. Where the server has all cores of the \
                 machine, the load generator shares its core with it, which latencies show \
                 more than costs"
            }
        }
    }
}

/// One point on an axis.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// The workload to measure.
    pub workload: Workload,
    /// The figure that grows.
    pub axis: Axis,
    /// The value of this figure.
    pub value: usize,
    /// Cores of the server.
    pub cores: usize,
}

/// All points, from left to right on each axis.
pub const POINTS: [Point; 16] = [
    clients("clients-10", 10, 1_000),
    clients("clients-100", 100, 500),
    clients("clients-1000", 1_000, 50),
    clients("clients-10000", 10_000, 5),
    paths("paths-1", 1),
    paths("paths-10", 10),
    paths("paths-100", 100),
    paths("paths-1000", 1_000),
    payload("payload-16", 16),
    payload("payload-128", 128),
    payload("payload-1024", 1 << 10),
    payload("payload-8192", 8 << 10),
    payload("payload-65536", 64 << 10),
    cores("cores-1", 1),
    cores("cores-2", 2),
    cores("cores-4", 4),
];

const fn clients(name: &'static str, clients: usize, messages: u64) -> Point {
    point(Axis::Clients, name, clients, clients, 1, per_second(128, messages))
}

const fn paths(name: &'static str, paths: usize) -> Point {
    point(Axis::Paths, name, paths, 10_000, paths, per_second(128, 5 * paths as u64))
}

const fn payload(name: &'static str, bytes: usize) -> Point {
    point(Axis::Payload, name, bytes, 1_000, 1, per_second(bytes, 5))
}

const fn cores(name: &'static str, cores: usize) -> Point {
    let same = paths(name, 1_000);
    Point { axis: Axis::Cores, value: cores, cores, ..same }
}

const fn point(
    axis: Axis,
    name: &'static str,
    value: usize,
    clients: usize,
    paths: usize,
    publish: PerSecond,
) -> Point {
    let workload = steady(name, axis.title(), clients, paths, publish);
    Point { workload, axis, value, cores: 1 }
}

/// Writes the table of an axis, in Markdown; nothing if it was not measured.
pub fn markdown(axis: Axis, rounds: &[Round]) -> String {
    let mut text = String::new();
    let _ = table(&mut text, axis, rounds);
    text
}

fn table(text: &mut String, axis: Axis, rounds: &[Round]) -> fmt::Result {
    for point in POINTS.iter().filter(|point| point.axis == axis) {
        for of in by_server(&point.workload, rounds) {
            if text.is_empty() {
                writeln!(text, "Growth by {}: {}\n", axis.name(), axis.title())?;
                write!(text, "| {} | server | µs per delivery (quartiles) ", axis.name())?;
                writeln!(text, "| times floor (quartiles) | p50 ms | p99 ms | runs | dropped |")?;
                writeln!(text, "|---:|---|{}", "---:|".repeat(6))?;
            }
            let figure = |value: &dyn Fn(&Round) -> f64, decimals: usize| {
                of.quartiles(value).map_or(String::new(), |of| format!("{:.decimals$}", of.median))
            };
            let cost = Quartiles::text(of.quartiles(|round| round.cost_ns() / 1e3));
            let ratio = of.compared.first().and_then(|Compared { cost, .. }| *cost);
            writeln!(
                text,
                "| {} | {} | {cost} | {} | {} | {} | {} | {} |",
                point.value,
                of.server,
                Quartiles::text(ratio),
                figure(&|round| round.p50_ns as f64 / 1e6, 1),
                figure(&|round| round.p99_ns as f64 / 1e6, 1),
                of.rounds.len(),
                of.dropped
            )?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_named_after_what_they_are() {
        for Point { workload, axis, value, .. } in POINTS {
            assert_eq!(workload.name, format!("{}-{value}", axis.name()));
            assert!(Workload::find(workload.name).is_none());
        }
    }

    #[test]
    fn an_axis_has_a_row_for_each_point_and_server() {
        let round = |workload: &str, server: &str, server_ns| Round {
            workload: workload.to_owned(),
            server: server.to_owned(),
            server_ns,
            delivered: 1,
            ..Round::default()
        };
        let rounds = [
            round("paths-10", "floor", 5_000),
            round("paths-10", "pode", 6_000),
            round("paths-1", "pode", 7_000),
        ];
        let table = markdown(Axis::Paths, &rounds);
        let rows: Vec<&str> = table.lines().skip(4).collect();
        assert_eq!(rows.len(), 3, "{table}");
        assert!(rows[0].starts_with("| 1 | pode | 7.00 (7.00–7.00) |  |"), "{table}");
        assert!(rows[2].starts_with("| 10 | pode | 6.00 (6.00–6.00) | 1.20 (1.20–1.20) |"));
        assert_eq!(markdown(Axis::Cores, &rounds), "");
    }
}
