//! From rounds to pictures: one page with a chart for each workload, and one
//! for each way in which costs grow.

mod lines;

use std::fmt::{self, Write};

use crate::growth::AXES;
use crate::round::Round;
use crate::table::{Measured, Quartiles, by_server};
use crate::workload::{Kind, WORKLOADS, Workload};

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>What a broadcast costs</title>
<style>
  body { font: 1rem system-ui; max-width: 50rem; margin: 2rem auto; padding: 0 1rem }
  svg { width: 100%; font: 14px system-ui }
  text { fill: currentColor }
  .bar { fill: #8fb8de }
  .pode { fill: #e08e45 }
  .grid { stroke: currentColor; stroke-opacity: .2 }
  .whisker { stroke: currentColor; stroke-width: 1.5 }
</style>
<h1>What a broadcast costs</h1>
<p>Bars and dots are medians over the rounds, thin lines reach from quartile to quartile.</p>
"#;

/// In units of the picture.
const NAMES_WIDTH: f64 = 120.0;
const BARS_WIDTH: f64 = 480.0;
const WIDTH: f64 = NAMES_WIDTH + BARS_WIDTH + 120.0;
const ROW_HEIGHT: f64 = 26.0;

/// Writes the page. What was not measured is left out.
pub fn page(rounds: &[Round]) -> String {
    let mut page = HEAD.to_owned();
    for workload in &WORKLOADS {
        let measured = by_server(workload, rounds);
        if !measured.is_empty() {
            chart(&mut page, workload, &measured).expect("a string takes everything");
        }
    }
    for axis in AXES {
        lines::chart(&mut page, axis, rounds).expect("a string takes everything");
    }
    page
}

fn chart(page: &mut String, workload: &Workload, measured: &[Measured<'_>]) -> fmt::Result {
    let (what, decimals) = match workload.kind {
        Kind::Idle => ("bytes of memory per client".to_owned(), 0),
        Kind::Overload => ("million deliveries per second on one core".to_owned(), 2),
        Kind::Steady => {
            let reference = measured[0].compared.first().map_or("nothing", |of| of.reference);
            (format!("CPU per delivery, times {reference}"), 2)
        }
        Kind::Stuck(_) => ("99th percentile of the others' latency, in milliseconds".to_owned(), 1),
    };
    let value = |of: &Measured<'_>| match workload.kind {
        Kind::Idle => of.quartiles(|round| round.idle_bytes.unwrap_or(0.0)),
        Kind::Overload => of.quartiles(|round| round.delivered as f64 / round.seconds / 1e6),
        Kind::Steady => of.compared.first()?.cost,
        Kind::Stuck(_) => of.quartiles(|round| round.p99_ns as f64 / 1e6),
    };
    let bars: Vec<(&str, Quartiles)> =
        measured.iter().filter_map(|of| Some((of.server, value(of)?))).collect();
    if bars.is_empty() {
        return Ok(());
    }
    let most = bars.iter().map(|(_, quartiles)| quartiles.high).fold(f64::MIN_POSITIVE, f64::max);
    let height = ROW_HEIGHT * bars.len() as f64;

    writeln!(page, "<h2>{}: {}</h2>\n<p>{what}</p>", workload.name, workload.title)?;
    writeln!(page, "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">")?;
    for (row, (server, Quartiles { low, median, high })) in bars.into_iter().enumerate() {
        let top = ROW_HEIGHT * row as f64;
        let middle = top + ROW_HEIGHT / 2.0;
        let at = |value: f64| NAMES_WIDTH + BARS_WIDTH * value / most;
        let class = if server == "pode" { "bar pode" } else { "bar" };
        writeln!(
            page,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\" dominant-baseline=\"middle\">{server}\
             </text>",
            NAMES_WIDTH - 8.0
        )?;
        writeln!(
            page,
            "<rect class=\"{class}\" x=\"{NAMES_WIDTH}\" y=\"{}\" width=\"{:.1}\" height=\"{}\"/>",
            top + 4.0,
            at(median) - NAMES_WIDTH,
            ROW_HEIGHT - 8.0
        )?;
        writeln!(
            page,
            "<line class=\"whisker\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle}\" y2=\"{middle}\"/>",
            at(low),
            at(high)
        )?;
        writeln!(
            page,
            "<text x=\"{:.1}\" y=\"{middle}\" dominant-baseline=\"middle\">{median:.decimals$}</text>",
            at(median.max(high)) + 8.0
        )?;
    }
    writeln!(page, "</svg>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_drawn() {
        let round = |server: &str, server_ns| Round {
            workload: "W1".to_owned(),
            server: server.to_owned(),
            server_ns,
            delivered: 1,
            ..Round::default()
        };
        let page = page(&[round("floor", 100), round("pode", 150)]);
        assert!(page.contains("<h2>W1: "));
        assert!(!page.contains("<h2>W2: "));
        assert!(page.contains("class=\"bar pode\" x=\"120\" y=\"30\" width=\"480.0\""), "{page}");
        assert!(page.contains(">1.50</text>"));
    }
}
