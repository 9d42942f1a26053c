//! From rounds to tables.

use std::fmt::Write;

use crate::round::Round;
use crate::workload::{Kind, Workload};

/// A median, and the quartiles around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quartiles {
    /// A quarter of the values is below it.
    pub low: f64,
    /// Half of them.
    pub median: f64,
    /// Three quarters.
    pub high: f64,
}

impl Quartiles {
    /// Returns the quartiles of some values; `None` if there are no values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Quartiles> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        let at = |part: f64| {
            let position = last as f64 * part;
            let (below, above) = (position.floor() as usize, position.ceil() as usize);
            values[below] + (values[above] - values[below]) * position.fract()
        };
        Some(Quartiles { low: at(0.25), median: at(0.5), high: at(0.75) })
    }

    /// Writes the median, and the quartiles in brackets; nothing if there are
    /// none.
    pub(crate) fn text(quartiles: Option<Quartiles>) -> String {
        quartiles.map_or(String::new(), |Quartiles { low, median, high }| {
            format!("{median:.2} ({low:.2}–{high:.2})")
        })
    }
}

/// The rounds of one server under one workload.
#[derive(Debug)]
pub struct Measured<'a> {
    /// The server's name.
    pub server: &'a str,
    /// The rounds that count.
    pub rounds: Vec<&'a Round>,
    /// How many don't count, because the generator got too little of its core.
    pub dropped: usize,
    /// The comparison with each reference that was measured.
    pub compared: Vec<Compared>,
}

/// One server's figures as multiples of another's in the same rounds.
#[derive(Debug)]
pub struct Compared {
    /// The other server.
    pub reference: &'static str,
    /// The ratio of the costs of a delivery, or of a client that came back.
    pub cost: Option<Quartiles>,
    /// The ratio of the 99th percentiles of latencies.
    pub p99: Option<Quartiles>,
}

impl Measured<'_> {
    /// Returns the quartiles of a value over the rounds.
    pub fn quartiles(&self, value: impl Fn(&Round) -> f64) -> Option<Quartiles> {
        Quartiles::of(self.rounds.iter().map(|round| value(round)))
    }

    fn median(&self, value: impl Fn(&Round) -> f64) -> f64 {
        self.quartiles(value).map_or(f64::NAN, |quartiles| quartiles.median)
    }

    /// Writes the percentage of messages that were lost.
    fn lost(&self) -> String {
        let lost = self.sum(|round| round.lost) as f64;
        let all = self.sum(|round| round.lost + round.delivered) as f64;
        match lost {
            0.0 => "0".to_owned(),
            _ => format!("{:.1} %", 100.0 * lost / all),
        }
    }

    fn sum(&self, value: impl Fn(&Round) -> u64) -> u64 {
        self.rounds.iter().map(|round| value(round)).sum()
    }

    /// Returns the percentage of the server's time that was the kernel's.
    fn kernel_percent(&self) -> f64 {
        let kernel = self.sum(|round| round.kernel_ticks) as f64;
        100.0 * kernel / (kernel + self.sum(|round| round.user_ticks) as f64)
    }
}

/// Groups the rounds of a workload by server, in the order they first ran.
pub fn by_server<'a>(workload: &Workload, rounds: &'a [Round]) -> Vec<Measured<'a>> {
    let of_workload = || rounds.iter().filter(|round| round.workload == workload.name);
    let mut servers: Vec<&str> = Vec::new();
    for round in of_workload() {
        if !servers.contains(&round.server.as_str()) {
            servers.push(&round.server);
        }
    }
    let references =
        || workload.references.iter().filter(|reference| servers.contains(reference)).copied();
    let measured = |server: &&'a str| {
        let all = of_workload().filter(|round| round.server == **server);
        let (dropped, rounds): (Vec<_>, Vec<_>) = all.partition(|round| round.dropped);
        let compared = references().map(|reference| {
            let ratio = |value: &dyn Fn(&Round) -> f64| {
                Quartiles::of(rounds.iter().filter_map(|round| {
                    let other = of_workload().find(|other| {
                        other.round == round.round && other.server == reference && !other.dropped
                    })?;
                    Some(value(round) / value(other))
                }))
            };
            let (cost, p99) = (ratio(&Round::cost_ns), ratio(&|round| round.p99_ns as f64));
            Compared { reference, cost, p99 }
        });
        let compared = compared.collect();
        Measured { server, rounds, dropped: dropped.len(), compared }
    };
    servers.iter().map(measured).collect()
}

/// Writes the table of a workload, in Markdown.
pub fn markdown(workload: &Workload, rounds: &[Round]) -> String {
    let measured = by_server(workload, rounds);
    let dropped: usize = measured.iter().map(|measured| measured.dropped).sum();
    let counted: usize = measured.iter().map(|measured| measured.rounds.len()).sum();
    let mut text = format!("{}: {}\n\n", workload.name, workload.title);
    let _ = match workload.kind {
        Kind::Idle => idle(&mut text, &measured),
        Kind::Resume(_) => returned(&mut text, &measured),
        _ => delivered(&mut text, workload, &measured),
    };
    let _ = writeln!(
        text,
        "\n{counted} runs; {dropped} more were dropped: the generator had too little of its core."
    );
    text
}

fn idle(text: &mut String, measured: &[Measured<'_>]) -> std::fmt::Result {
    writeln!(text, "| server | bytes per client |\n|---|---:|")?;
    for of in measured {
        let bytes = of.median(|round| round.idle_bytes.unwrap_or(f64::NAN));
        writeln!(text, "| {} | {bytes:.0} |", of.server)?;
    }
    Ok(())
}

fn returned(text: &mut String, measured: &[Measured<'_>]) -> std::fmt::Result {
    let mut columns = vec!["server".to_owned(), "µs per client".to_owned()];
    let references = measured.first().map_or(&[][..], |of| &of.compared);
    columns.extend(references.iter().map(|of| format!("times {} (quartiles)", of.reference)));
    let figures =
        ["in the kernel", "clients/s", "KiB per client at the peak", "lost", "twice or late"];
    columns.extend(figures.map(str::to_owned));
    writeln!(text, "| {} |\n|---|{}", columns.join(" | "), "---:|".repeat(columns.len() - 1))?;
    for of in measured.iter().filter(|of| !of.rounds.is_empty()) {
        write!(text, "| {} | {:.0} ", of.server, of.median(|round| round.cost_ns() / 1e3))?;
        for Compared { cost, .. } in &of.compared {
            write!(text, "| {} ", Quartiles::text(*cost))?;
        }
        let rate = of.median(|round| round.returned.unwrap_or(0) as f64 / round.seconds);
        let peak = of.median(|round| round.return_bytes.unwrap_or(f64::NAN) / 1024.0);
        let (kernel, rate) = (of.kernel_percent(), thousands(rate));
        write!(text, "| {kernel:.0} % | {rate} | {peak:.1} | {} ", of.lost())?;
        writeln!(text, "| {} |", of.sum(|round| round.out_of_order))?;
    }
    Ok(())
}

fn delivered(
    text: &mut String,
    workload: &Workload,
    measured: &[Measured<'_>],
) -> std::fmt::Result {
    let stuck = matches!(workload.kind, Kind::Stuck(_));
    let peak = matches!(workload.kind, Kind::Peak(_));
    let mut columns = vec!["server".to_owned(), "µs per delivery".to_owned()];
    let references = measured.first().map_or(&[][..], |of| &of.compared);
    for Compared { reference, .. } in references {
        columns.push(format!("times {reference} (quartiles)"));
        columns.push(format!("p99 times {reference} (quartiles)"));
    }
    let figures = ["in the kernel", "deliveries/s", "core", "p50 ms", "p99 ms", "p99.9 ms", "lost"];
    columns.extend(figures.map(str::to_owned));
    if stuck {
        let figures = [
            "p99 ms before",
            "p99 times that before (quartiles)",
            "KiB per stuck client",
            "KiB unsent in the kernel",
        ];
        columns.extend(figures.map(str::to_owned));
    }
    if peak {
        let figures = ["µs before", "times that before (quartiles)", "KiB kept"];
        columns.extend(figures.map(str::to_owned));
    }
    writeln!(text, "| {} |\n|---|{}", columns.join(" | "), "---:|".repeat(columns.len() - 1))?;
    for of in measured.iter().filter(|of| !of.rounds.is_empty()) {
        write!(text, "| {} | {:.2} ", of.server, of.median(|round| round.cost_ns() / 1e3))?;
        for Compared { cost, p99, .. } in &of.compared {
            write!(text, "| {} | {} ", Quartiles::text(*cost), Quartiles::text(*p99))?;
        }
        write!(text, "| {:.0} % ", of.kernel_percent())?;
        let rate = of.median(|round| round.delivered as f64 / round.seconds);
        write!(text, "| {} ", thousands(rate))?;
        let core = of.median(|round| round.server_ns as f64 / 1e9 / round.seconds);
        write!(text, "| {:.0} % ", 100.0 * core)?;
        let milliseconds =
            |value: &dyn Fn(&Round) -> u64| of.median(|round| value(round) as f64 / 1e6);
        write!(text, "| {:.1} ", milliseconds(&|round| round.p50_ns))?;
        write!(text, "| {:.1} ", milliseconds(&|round| round.p99_ns))?;
        write!(text, "| {:.1} | {} ", milliseconds(&|round| round.p999_ns), of.lost())?;
        if stuck {
            let before = milliseconds(&|round| round.p99_before_ns.unwrap_or(0));
            let grown = Quartiles::of(
                of.rounds
                    .iter()
                    .filter_map(|round| Some(round.p99_ns as f64 / round.p99_before_ns? as f64)),
            );
            write!(text, "| {before:.1} | {} ", Quartiles::text(grown))?;
            let kibibytes = |value: &dyn Fn(&Round) -> Option<f64>| {
                of.median(|round| value(round).unwrap_or(f64::NAN) / 1024.0)
            };
            write!(text, "| {:.0} ", kibibytes(&|round| round.stuck_bytes))?;
            write!(text, "| {:.0} ", kibibytes(&|round| round.stuck_kernel_bytes))?;
        }
        if peak {
            let before = of.median(|round| round.cost_before_ns.unwrap_or(f64::NAN) / 1e3);
            let grown = of.quartiles(Round::cost_times_before);
            let kept = of.median(|round| round.kept_bytes.unwrap_or(0) as f64 / 1024.0);
            write!(text, "| {before:.2} | {} | {} ", Quartiles::text(grown), thousands(kept))?;
        }
        writeln!(text, "|")?;
    }
    Ok(())
}

/// Writes a number with commas.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_values() {
        let quartiles = Quartiles::of([4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(quartiles, Quartiles { low: 1.75, median: 2.5, high: 3.25 });
        assert_eq!(Quartiles::of([7.0]).unwrap().median, 7.0);
        assert_eq!(Quartiles::of([]), None);
    }

    #[test]
    fn ratios_are_taken_within_rounds_that_count() {
        let round = |server: &str, round, server_ns, dropped| Round {
            workload: "W1".to_owned(),
            server: server.to_owned(),
            round,
            server_ns,
            delivered: 1,
            p99_ns: 2 * server_ns + 1_000,
            dropped,
            ..Round::default()
        };
        let rounds = [
            round("floor", 0, 100, false),
            round("pode", 0, 150, false),
            round("floor", 1, 200, false),
            round("pode", 1, 900, true),
            round("floor", 2, 1, true),
            round("pode", 2, 900, false),
        ];
        let measured = by_server(&Workload::find("W1").unwrap(), &rounds);
        assert_eq!(measured[1].server, "pode");
        assert_eq!(measured[1].compared[0].reference, "floor");
        assert_eq!(measured[1].compared[0].cost, Quartiles::of([1.5]));
        assert_eq!(measured[1].compared[0].p99, Quartiles::of([1_300.0 / 1_200.0]));
        assert_eq!((measured[1].rounds.len(), measured[1].dropped), (2, 1));
    }

    #[test]
    fn numbers_have_commas() {
        assert_eq!(thousands(999.4), "999");
        assert_eq!(thousands(1_000.0), "1,000");
        assert_eq!(thousands(7_850_000.0), "7,850,000");
    }
}
