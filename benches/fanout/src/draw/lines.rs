//! How costs grow: a chart with a line for each server.

use std::fmt::{self, Write};

use super::{Chart, begin};
use crate::growth::{Axis, POINTS, Point};
use crate::round::Round;
use crate::table::{Measured, Quartiles, by_server};

/// In units of the chart.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = WIDTH - 30.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = HEIGHT - 30.0;

/// Values that differ by more than this factor are drawn logarithmically.
const MOST_LINEAR: f64 = 8.0;

/// The colors of all servers but pode, in the order in which they first appear.
const COLORS: [&str; 5] = ["#4878a8", "#5a9e6f", "#a05f9c", "#8a7a3f", "#777"];

/// Draws an axis, unless it was not measured.
pub(super) fn charts(axis: Axis, rounds: &[Round]) -> Vec<Chart> {
    let points = POINTS.iter().filter(|point| point.axis == axis);
    let measured: Vec<(&Point, Vec<Measured<'_>>)> = points
        .map(|point| (point, by_server(&point.workload, rounds)))
        .filter(|(_, servers)| servers.iter().any(|of| !of.rounds.is_empty()))
        .collect();
    if measured.is_empty() {
        return Vec::new();
    }
    let chart = |name: String, what: &str, value: fn(&Round) -> f64| Chart {
        name,
        title: format!("Growth by {}", axis.name()),
        caption: format!("Over {}.", axis.title()),
        svg: lines(&measured, what, value).expect("a string takes everything"),
    };
    let name = format!("growth-{}", axis.name());
    let mut charts =
        vec![chart(name.clone(), "µs of CPU per delivery", |round| round.cost_ns() / 1e3)];
    if axis == Axis::Cores {
        // More cores don't make a delivery cheaper, but shorten the wait.
        let what = "99th percentile of latency, ms";
        charts.push(chart(format!("{name}-p99"), what, |round| round.p99_ns as f64 / 1e6));
    }
    charts
}

fn lines(
    measured: &[(&Point, Vec<Measured<'_>>)],
    what: &str,
    value: impl Fn(&Round) -> f64,
) -> Result<String, fmt::Error> {
    let mut servers: Vec<&str> = Vec::new();
    for of in measured.iter().flat_map(|(_, of_point)| of_point) {
        if !servers.contains(&of.server) {
            servers.push(of.server);
        }
    }
    let quartiles = |server: &str, of_point: &[Measured<'_>]| {
        of_point.iter().find(|of| of.server == server).and_then(|of| of.quartiles(&value))
    };
    let all = || measured.iter().flat_map(|(_, of)| of).filter_map(|of| of.quartiles(&value));
    let scale = Scale::of(
        all().map(|of| of.low).fold(f64::INFINITY, f64::min),
        all().map(|of| of.high).fold(0.0, f64::max),
    );
    let across =
        |index: usize| LEFT + (RIGHT - LEFT) * (index as f64 + 0.5) / measured.len() as f64;

    let mut svg = begin(WIDTH, HEIGHT);
    writeln!(svg, "<text x=\"{LEFT}\" y=\"12\">{what}</text>")?;
    for tick in scale.ticks() {
        let y = scale.y(tick);
        writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\n\
             <text x=\"{}\" y=\"{y:.1}\" text-anchor=\"end\" dominant-baseline=\"middle\">{tick}\
             </text>",
            LEFT - 8.0
        )?;
    }
    for (index, (point, _)) in measured.iter().enumerate() {
        let (x, y) = (across(index), BOTTOM + 20.0);
        writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{}</text>",
            point.value
        )?;
    }
    let mut colors = COLORS.iter().cycle();
    for (number, server) in servers.iter().enumerate() {
        let color = if *server == "pode" { Some(&"#e08e45") } else { colors.next() };
        let color = color.expect("the colors go round");
        let places: Vec<(f64, Quartiles)> = measured
            .iter()
            .enumerate()
            .filter_map(|(index, (_, of_point))| {
                Some((across(index), quartiles(server, of_point)?))
            })
            .collect();
        let joined: Vec<String> = places
            .iter()
            .map(|(x, quartiles)| format!("{x:.1},{:.1}", scale.y(quartiles.median)))
            .collect();
        writeln!(svg, "<g stroke=\"{color}\" fill=\"{color}\" stroke-width=\"2\">")?;
        writeln!(svg, "<polyline fill=\"none\" points=\"{}\"/>", joined.join(" "))?;
        for (x, Quartiles { low, median, high }) in places {
            let (low, median, high) = (scale.y(low), scale.y(median), scale.y(high));
            writeln!(
                svg,
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{low:.1}\" y2=\"{high:.1}\"/>\n\
                 <circle cx=\"{x:.1}\" cy=\"{median:.1}\" r=\"3\"/>"
            )?;
        }
        let x = LEFT + 110.0 * number as f64;
        writeln!(svg, "<circle cx=\"{x}\" cy=\"26\" r=\"4\"/></g>")?;
        writeln!(svg, "<text x=\"{}\" y=\"31\">{server}</text>", x + 10.0)?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

/// Maps values to heights.
struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Scale {
    /// Makes a scale that begins at zero if the values are near each other.
    fn of(low: f64, high: f64) -> Scale {
        let high = high.max(f64::MIN_POSITIVE);
        let logarithmic = low > 0.0 && high > MOST_LINEAR * low;
        Scale { low: if logarithmic { low } else { 0.0 }, high, logarithmic }
    }

    fn y(&self, value: f64) -> f64 {
        let part = if self.logarithmic {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            value / self.high
        };
        BOTTOM - (BOTTOM - TOP) * part
    }

    /// Round numbers within the scale.
    fn ticks(&self) -> Vec<f64> {
        let round_numbers = (-9..=9).flat_map(|power| {
            // Parsed from text, they are printed without rounding errors.
            ["1", "2", "5"].map(|digit| format!("{digit}e{power}").parse().unwrap_or(0.0))
        });
        if self.logarithmic {
            return round_numbers.filter(|tick| (self.low..=self.high).contains(tick)).collect();
        }
        let step = { round_numbers }.find(|step: &f64| self.high / step < 6.0).unwrap_or(self.high);
        (0..).map(|number| f64::from(number) * step).take_while(|tick| *tick <= self.high).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(Scale::of(5.0, 9.0).ticks(), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(Scale::of(4.0, 100.0).ticks(), [5.0, 10.0, 20.0, 50.0, 100.0]);
        assert_eq!(Scale::of(4.0, 100.0).y(4.0), BOTTOM);
        assert_eq!(Scale::of(4.0, 9.0).y(9.0), TOP);
    }

    #[test]
    fn each_server_has_a_line() {
        let round = |workload: &str, server: &str| Round {
            workload: workload.to_owned(),
            server: server.to_owned(),
            server_ns: 5_000,
            delivered: 1,
            ..Round::default()
        };
        let rounds = [
            round("clients-10", "floor"),
            round("clients-10", "pode"),
            round("clients-100", "pode"),
        ];
        let charts = [charts(Axis::Clients, &rounds), charts(Axis::Paths, &rounds)].concat();
        assert_eq!(charts.len(), 1);
        assert_eq!(charts[0].svg.matches("<polyline").count(), 2);
        assert_eq!(charts[0].svg.matches("r=\"3\"").count(), 3);
    }
}
