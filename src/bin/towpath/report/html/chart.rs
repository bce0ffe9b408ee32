//! Charts as inline SVG: no script, sizes in units of a fixed box, colors from the style sheet.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::markup::Html;
use crate::format::rate;
use crate::report::model::{RoundTrips, Sample};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
/// Room for the times below.
const BELOW: f64 = 24.0;
/// Samples with a longer gap between them are not connected.
const MAX_GAP_S: f64 = 90.0;

/// The axis of time, from the first sample to the end of the last.
struct Times {
    from_s: f64,
    until_s: f64,
}

impl Times {
    fn of(samples: &[Sample]) -> Self {
        let from_s = samples.first().map_or(0.0, start_s);
        let until_s = samples.iter().map(end_s).fold(from_s + 1.0, f64::max);
        Self { from_s, until_s }
    }

    fn x(&self, at_s: f64) -> f64 {
        (at_s - self.from_s) / (self.until_s - self.from_s) * WIDTH
    }

    /// The times below the chart.
    fn axis(&self, html: &mut Html) {
        let days = (self.until_s - self.from_s) / 86_400.0;
        let format = match days {
            0.0..0.02 => "%H:%M:%S",
            0.02..1.0 => "%H:%M",
            1.0..4.0 => "%b %-d %H:%M",
            _ => "%b %-d",
        };
        let last = 4_u32;
        for tick in 0..=last {
            let at_s = self.from_s + (self.until_s - self.from_s) * f64::from(tick) / f64::from(last);
            let (anchor, x) = match tick {
                0 => ("start", 0.0),
                tick if tick == last => ("end", WIDTH),
                _ => ("middle", self.x(at_s)),
            };
            let Ok(at) = Timestamp::from_second(at_s as i64) else { continue };
            let label = at.to_zoned_datetime(TimeZone::system()).strftime(format).to_string();
            let class = if tick % 2 == 1 { "label wide" } else { "label" };
            let y = HEIGHT - 6.0;
            html.raw(&format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">"));
            html.text(&label).raw("</text>");
        }
    }
}

fn start_s(sample: &Sample) -> f64 {
    sample.start.as_millisecond() as f64 / 1000.0
}

fn end_s(sample: &Sample) -> f64 {
    start_s(sample) + sample.duration_s
}

fn begin(html: &mut Html, title: &str, legend: &[(&str, &str)]) {
    html.raw("<figure>\n<figcaption>");
    for (class, label) in legend {
        html.raw("<span class=\"key ").raw(class).raw("\"></span>").text(label).raw(" ");
    }
    html.raw(&format!("</figcaption>\n<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">"));
    html.element("title", "", title).raw("\n");
}

/// Lines at these heights.
fn grid(html: &mut Html, lines: &[(f64, String)]) {
    for (y, _) in lines {
        html.raw(&format!("<line class=\"grid\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\n"));
    }
}

/// Their labels, over everything else.
fn labels(html: &mut Html, lines: &[(f64, String)]) {
    for (y, label) in lines {
        html.raw(&format!("<text class=\"label\" x=\"2\" y=\"{:.1}\">", y - 4.0)).text(label).raw("</text>\n");
    }
}

/// Mean rates, the highest seconds, and the limit.
pub(super) fn throughput(html: &mut Html, samples: &[Sample]) {
    let times = Times::of(samples);
    let of = |sample: &Sample| {
        [Some(sample.rate()), sample.peak_bytes_per_s.map(as_f64), sample.limit_bytes_per_s.map(as_f64)]
    };
    let highest = samples.iter().flat_map(of).flatten().fold(1.0, f64::max);
    let step = nice_step(highest * 1.15);
    let top = step * 4.0;
    let plot = HEIGHT - BELOW;
    let y = |rate: f64| plot - (rate / top).min(1.0) * (plot - 20.0);
    begin(
        html,
        "Bytes written per second, and the limit",
        &[("mean", "mean rate of a minute or hour"), ("peak", "its highest second"), ("limit", "limit in force")],
    );
    let lines: Vec<_> = (1..=4_u32).map(|line| step * f64::from(line)).map(|at| (y(at), rate(at as u64))).collect();
    grid(html, &lines);
    let (mut area, mut peaks, mut limits) = (String::new(), String::new(), String::new());
    for sample in samples {
        let (from, to) = (times.x(start_s(sample)), times.x(end_s(sample)).max(times.x(start_s(sample)) + 0.6));
        let mean = y(sample.rate());
        // Writing to a string does not fail.
        let _area = write!(area, "M{from:.1} {plot:.1}V{mean:.1}H{to:.1}V{plot:.1}Z");
        if let Some(peak) = sample.peak_bytes_per_s {
            let _peaks = write!(peaks, "M{from:.1} {0:.1}H{to:.1}", y(as_f64(peak)));
        }
        if let Some(limit) = sample.limit_bytes_per_s {
            let _limits = write!(limits, "M{from:.1} {0:.1}H{to:.1}", y(as_f64(limit)));
        }
    }
    for (class, path) in [("mean", area), ("peak", peaks), ("limit", limits)] {
        html.raw(&format!("<path class=\"{class}\" d=\"{path}\"/>\n"));
    }
    labels(html, &lines);
    times.axis(html);
    html.raw("</svg>\n</figure>\n");
}

fn as_f64(value: u64) -> f64 {
    value as f64
}

/// A quarter of the axis: a round number of B, KiB, MiB or GiB, so that four of them hold `highest`.
fn nice_step(highest: f64) -> f64 {
    let quarter = highest / 4.0;
    let unit = 1024_f64.powf((quarter.max(1.0)).log(1024.0).floor());
    let steps = [
        1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 8.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 80.0, 100.0, 150.0, 200.0, 300.0, 400.0,
        500.0, 800.0, 1000.0,
    ];
    steps.into_iter().map(|step| step * unit).find(|step| *step >= quarter).unwrap_or(1024.0 * unit)
}

/// Round trips of both storages, on a logarithmic axis.
pub(super) fn round_trips(html: &mut Html, samples: &[Sample]) {
    let of = |side: fn(&Sample) -> Option<RoundTrips>| samples.iter().filter_map(side).map(|taken| taken.p95_ms);
    let highest = of(|sample| sample.source).chain(of(|sample| sample.dest)).fold(0.0, f64::max);
    if highest <= 0.0 {
        html.paragraph("No run recorded round trips.");
        return;
    }
    let times = Times::of(samples);
    let plot = HEIGHT - BELOW;
    let decades = highest.max(10.0).log10().ceil();
    let lowest = -2.0;
    let y = |ms: f64| {
        let part = (ms.max(0.01).log10() - lowest) / (decades - lowest);
        plot - part.clamp(0.0, 1.0) * (plot - 20.0)
    };
    begin(html, "Round trips of small requests", &[("source", "source"), ("dest", "destination")]);
    let label = |decade: i32| match decade {
        -2 => "0.01 ms".to_owned(),
        -1 => "0.1 ms".to_owned(),
        0..=2 => format!("{} ms", 10_f64.powi(decade)),
        _ => format!("{} s", 10_f64.powi(decade - 3)),
    };
    let decades = (lowest as i32)..=(decades as i32);
    let lines: Vec<_> = decades.map(|decade| (y(10_f64.powi(decade)), label(decade))).collect();
    grid(html, &lines);
    side(html, samples, &times, "source", |sample| sample.source, &y);
    side(html, samples, &times, "dest", |sample| sample.dest, &y);
    labels(html, &lines);
    times.axis(html);
    html.raw("</svg>\n</figure>\n");
}

fn side(
    html: &mut Html,
    samples: &[Sample],
    times: &Times,
    class: &str,
    of: fn(&Sample) -> Option<RoundTrips>,
    y: &impl Fn(f64) -> f64,
) {
    let (mut line, mut bands, mut last_end_s) = (String::new(), String::new(), f64::MIN);
    for sample in samples {
        let Some(taken) = of(sample) else { continue };
        let (from, to) = (times.x(start_s(sample)), times.x(end_s(sample)).max(times.x(start_s(sample)) + 0.6));
        let (median, p95) = (y(taken.median_ms), y(taken.p95_ms));
        let word = if start_s(sample) - last_end_s > MAX_GAP_S { 'M' } else { 'L' };
        let _line = write!(line, "{word}{from:.1} {median:.1}H{to:.1}");
        let _bands = write!(bands, "M{from:.1} {median:.1}V{p95:.1}H{to:.1}V{median:.1}Z");
        last_end_s = end_s(sample);
    }
    html.raw(&format!("<path class=\"band {class}\" d=\"{bands}\"/>\n<path class=\"line {class}\" d=\"{line}\"/>\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_steps_hold_the_highest_value() {
        for highest in [1.0, 900.0, 1024.0, 5e6, 117e6, 3e9] {
            let step = nice_step(highest);
            assert!(step * 4.0 >= highest && (step * 4.0 <= highest * 3.0 || step <= 1.0), "{highest}: {step}");
        }
    }
}
