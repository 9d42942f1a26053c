//! Makes charts from rounds: one for each workload, and for each axis of
//! growth.

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
<title>What a broadcast costs</title>
<style>
  body { font: 1rem system-ui; max-width: 50rem; margin: 2rem auto; padding: 0 1rem }
</style>
<h1>What a broadcast costs</h1>
<p>Bars and dots are medians over the rounds, thin lines reach from quartile to quartile.</p>
"#;

/// The style of each chart, so that it can be used as a separate file.
const STYLE: &str = "\
<style>
  svg { width: 100%; font: 14px system-ui, sans-serif; background: white }
  .bar { fill: #8fb8de }
  .pode { fill: #e08e45 }
  .grid { stroke: #ccc }
  .whisker { stroke: black; stroke-width: 1.5 }
</style>
";

/// A chart with its texts.
#[derive(Clone, Debug)]
pub struct Chart {
    /// The name of its file: `w1`, `growth-clients`.
    pub name: String,
    title: String,
    caption: String,
    /// A complete SVG file.
    pub svg: String,
}

/// In units of the chart.
const NAMES_WIDTH: f64 = 120.0;
const BARS_WIDTH: f64 = 480.0;
const WIDTH: f64 = NAMES_WIDTH + BARS_WIDTH + 120.0;
const ROW_HEIGHT: f64 = 26.0;

/// Draws all measured workloads and axes.
pub fn charts(rounds: &[Round]) -> Vec<Chart> {
    let bars =
        WORKLOADS.iter().filter_map(|workload| chart(workload, &by_server(workload, rounds)));
    let lines = AXES.into_iter().flat_map(|axis| lines::charts(axis, rounds));
    bars.chain(lines).collect()
}

/// Writes a page with all charts.
pub fn page(charts: &[Chart]) -> String {
    let mut page = HEAD.to_owned();
    for Chart { title, caption, svg, .. } in charts {
        page.push_str(&format!("<h2>{title}</h2>\n<p>{caption}</p>\n{svg}"));
    }
    page
}

fn chart(workload: &Workload, measured: &[Measured<'_>]) -> Option<Chart> {
    let (what, decimals) = match workload.kind {
        Kind::Idle => ("bytes of memory per client".to_owned(), 0),
        Kind::Overload => ("million deliveries per second on one core".to_owned(), 2),
        Kind::Steady => {
            let compared = measured.first().and_then(|of| of.compared.first());
            let reference = compared.map_or("nothing", |of| of.reference);
            (format!("CPU per delivery, times {reference}"), 2)
        }
        Kind::Stuck(_) => ("99th percentile of the others' latency, in milliseconds".to_owned(), 1),
        Kind::Peak(_) => ("CPU per delivery, times that before the peak".to_owned(), 2),
        Kind::Resume(_) => ("CPU per client that comes back, in microseconds".to_owned(), 0),
    };
    let value = |of: &Measured<'_>| match workload.kind {
        Kind::Idle => of.quartiles(|round| round.idle_bytes.unwrap_or(0.0)),
        Kind::Overload => of.quartiles(|round| round.delivered as f64 / round.seconds / 1e6),
        Kind::Steady => of.compared.first()?.cost,
        Kind::Stuck(_) => of.quartiles(|round| round.p99_ns as f64 / 1e6),
        Kind::Peak(_) => of.quartiles(Round::cost_times_before),
        Kind::Resume(_) => of.quartiles(|round| round.cost_ns() / 1e3),
    };
    let bars: Vec<(&str, Quartiles)> =
        measured.iter().filter_map(|of| Some((of.server, value(of)?))).collect();
    if bars.is_empty() {
        return None;
    }
    let title = format!("{}: {}", workload.name, workload.title);
    let svg = draw_bars(bars, decimals).expect("a string takes everything");
    Some(Chart { name: workload.name.to_lowercase(), title, caption: what, svg })
}

fn draw_bars(bars: Vec<(&str, Quartiles)>, decimals: usize) -> Result<String, fmt::Error> {
    let most = bars.iter().map(|(_, quartiles)| quartiles.high).fold(f64::MIN_POSITIVE, f64::max);
    let height = ROW_HEIGHT * bars.len() as f64;

    let mut svg = begin(WIDTH, height);
    for (row, (server, Quartiles { low, median, high })) in bars.into_iter().enumerate() {
        let top = ROW_HEIGHT * row as f64;
        let middle = top + ROW_HEIGHT / 2.0;
        let at = |value: f64| NAMES_WIDTH + BARS_WIDTH * value / most;
        let class = if server == "pode" { "bar pode" } else { "bar" };
        writeln!(
            svg,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\" dominant-baseline=\"middle\">{server}\
             </text>",
            NAMES_WIDTH - 8.0
        )?;
        writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{NAMES_WIDTH}\" y=\"{}\" width=\"{:.1}\" height=\"{}\"/>",
            top + 4.0,
            at(median) - NAMES_WIDTH,
            ROW_HEIGHT - 8.0
        )?;
        writeln!(
            svg,
            "<line class=\"whisker\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle}\" y2=\"{middle}\"/>",
            at(low),
            at(high)
        )?;
        writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{middle}\" dominant-baseline=\"middle\">{median:.decimals$}</text>",
            at(median.max(high)) + 8.0
        )?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn begin(width: f64, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         {STYLE}"
    )
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
        let charts = charts(&[round("floor", 100), round("pode", 150)]);
        assert_eq!(charts.len(), 1);
        assert_eq!(charts[0].name, "w1");
        let page = page(&charts);
        assert!(page.contains("<h2>W1: "));
        assert!(!page.contains("<h2>W2: "));
        assert!(page.contains("class=\"bar pode\" x=\"120\" y=\"30\" width=\"480.0\""), "{page}");
        assert!(page.contains(">1.50</text>"));
    }
}
