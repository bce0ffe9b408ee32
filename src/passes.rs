//! What the next pass will take, from the passes so far.
//!
//! A pass is a run that scans and sends what it finds. Its scan costs about the same per entry each time. What it finds
//! grows with the time since the scan before, but more slowly, since some files change again and again. Sending costs
//! what the estimator says, corrected by what it said of the earlier passes and what they took.

use std::time::Duration;

use crate::event::Totals;
use crate::journal::{Passes, RecordedPass, RecordedScan};
use crate::progress::{Allowed, Estimator};
use towpath_backend::Timestamp;

/// Passes that are learned from.
const RECENT: usize = 5;
/// What is found grows with this power of the time since the last scan.
const GROWTH: f64 = 0.7;
/// The 90th percentile of the normal distribution.
const Z90: f64 = 1.2816;
/// The bounds of a correction.
const LEAST_RATIO: f64 = 0.02;
const GREATEST_RATIO: f64 = 50.0;

/// What a pass that begins at a moment will take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PassForecast {
    /// With a chance of one half it takes no longer.
    pub p50: Duration,
    /// With a chance of 90 % it takes no longer.
    pub p90: Duration,
    /// The part of `p50` that is the scan.
    pub scan: Duration,
    /// What will be sent.
    pub work: Totals,
    /// The number of passes that this was learned from.
    pub learned_from: usize,
}

/// A complete scan, and the run that it belongs to.
#[derive(Clone, Copy)]
struct Complete<'a> {
    index: usize,
    pass: &'a RecordedPass,
    scan: RecordedScan,
    scan_s: f64,
}

/// Files and bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Work {
    files: f64,
    bytes: f64,
}

/// A logarithm's deviation: what is assumed of one observation, and the least of several.
#[derive(Clone, Copy)]
struct Assumed {
    one: f64,
    least: f64,
}

const OF_SCANS: Assumed = Assumed { one: 0.3, least: 0.08 };
const OF_FINDS: Assumed = Assumed { one: 0.6, least: 0.25 };
const OF_RATIOS: Assumed = Assumed { one: 0.4, least: 0.1 };

impl Passes {
    /// What a pass will take that begins at `at`, with the limits that `estimator` knows; `limit` is in force then.
    /// `None`: fewer than two scans are complete, or nothing may be sent.
    pub fn forecast(&self, at: Timestamp, estimator: &Estimator, limit: Allowed) -> Option<PassForecast> {
        let complete = self.complete();
        let (last, rescans) = (*complete.last()?, recent(complete.get(1..)?));
        if rescans.is_empty() {
            return None;
        }
        let costs: Vec<f64> = rescans.iter().map(|one| one.scan_s / entries(&one.scan)).collect();
        let scan_s = median(&costs)? * entries(&last.scan);
        let scan_later_s = scan_s * (Z90 * deviation(&costs, OF_SCANS)).exp();

        let (work, work_deviation) = self.found_by(at, &complete)?;
        let (estimated, estimated_later) = estimator.time_of(totals(work), at, limit)?;
        let estimated_s = estimated.as_secs_f64();
        let (overhead_s, ratios) = self.corrections(&rescans);
        let ratio = median(&ratios).unwrap_or(1.0);
        let send_s = overhead_s + ratio * estimated_s;
        let of_estimate = (estimated_later.as_secs_f64() / estimated_s.max(f64::MIN_POSITIVE)).max(1.0).ln() / Z90;
        let of_ratio = deviation(&ratios, OF_RATIOS);
        let send_deviation = if estimated_s > 0.0 { work_deviation.hypot(of_ratio).hypot(of_estimate) } else { 0.0 };
        let send_later_s = overhead_s + ratio * estimated_s * (Z90 * send_deviation).exp();

        let p50_s = scan_s + send_s;
        let p90_s = p50_s + (scan_later_s - scan_s).hypot(send_later_s - send_s);
        Some(PassForecast {
            p50: seconds(p50_s),
            p90: seconds(p90_s),
            scan: seconds(scan_s),
            work: totals(work),
            learned_from: rescans.len(),
        })
    }

    /// The passes whose scan is complete, the oldest first.
    fn complete(&self) -> Vec<Complete<'_>> {
        let complete = self.passes.iter().enumerate().filter_map(|(index, pass)| {
            let scan = pass.scan?;
            Some(Complete { index, pass, scan, scan_s: scan.duration()?.as_secs_f64() })
        });
        complete.collect()
    }

    /// What a scan at `at` will find, and the deviation of its logarithm.
    fn found_by(&self, at: Timestamp, complete: &[Complete<'_>]) -> Option<(Work, f64)> {
        let last = complete.last()?;
        let factor = |after_s: f64| (since_s(last.scan.started, at) / after_s).powf(GROWTH);
        let new = complete.windows(2).filter_map(|pair| {
            let [before, one] = pair else { return None };
            let (found, left) = (work_of(one.scan.found?), self.left_of(before, one.index)?);
            let factor = factor(since_s(before.scan.started, one.scan.started));
            Some(Work {
                files: (found.files - left.files).max(0.0) * factor,
                bytes: (found.bytes - left.bytes).max(0.0) * factor,
            })
        });
        let new = recent(&new.collect::<Vec<_>>());
        let part = |part: fn(&Work) -> f64| median(&new.iter().map(part).collect::<Vec<_>>());
        let left = self.left_of(last, self.passes.len())?;
        let work = Work {
            files: left.files + part(|new| new.files).unwrap_or(0.0),
            bytes: left.bytes + part(|new| new.bytes).unwrap_or(0.0),
        };
        let bytes: Vec<_> = new.iter().map(|new| new.bytes).filter(|&bytes| bytes > 0.0).collect();
        Some((work, deviation(&bytes, OF_FINDS)))
    }

    /// What is left of what a scan found, after the runs before that of `end`.
    fn left_of(&self, scan: &Complete<'_>, end: usize) -> Option<Work> {
        let found = work_of(scan.scan.found?);
        let runs = self.passes.get(scan.index..end)?;
        let sent = runs.iter().filter_map(|pass| pass.run.sent).map(work_of);
        let sent = sent.fold(Work { files: 0.0, bytes: 0.0 }, |sum, sent| Work {
            files: sum.files + sent.files,
            bytes: sum.bytes + sent.bytes,
        });
        Some(Work { files: (found.files - sent.files).max(0.0), bytes: (found.bytes - sent.bytes).max(0.0) })
    }

    /// The time of a pass besides its scan that does not depend on what it sends, and by which factors the passes took
    /// longer than the estimator says now.
    fn corrections(&self, rescans: &[Complete<'_>]) -> (f64, Vec<f64>) {
        let estimator = Estimator::new(self.samples.clone().into());
        let rest = |one: &Complete<'_>| Some(one.pass.duration()?.as_secs_f64() - one.scan_s);
        let sending: Vec<_> = rescans.iter().filter_map(|one| Some((one, rest(one)?.max(0.0)))).collect();
        let overhead_s = sending.iter().map(|(_, rest_s)| *rest_s).reduce(f64::min).filter(|_| sending.len() > 1);
        let overhead_s = overhead_s.unwrap_or(0.0);
        let ratio = |(one, rest_s): &(&Complete<'_>, f64)| {
            let sent = one.pass.run.sent.filter(|sent| sent.files > 0)?;
            let limit = one.pass.limits_bytes_per_s.as_ref().map(|limits| Allowed::Limit(*limits.end()));
            let (estimated, _) = estimator.time_of(sent, one.scan.started, limit.unwrap_or(Allowed::Unlimited))?;
            let ratio = (rest_s - overhead_s) / estimated.as_secs_f64();
            (rest_s > &overhead_s && ratio.is_finite()).then(|| ratio.clamp(LEAST_RATIO, GREATEST_RATIO))
        };
        (overhead_s, sending.iter().filter_map(ratio).collect())
    }
}

fn recent<T: Clone>(all: &[T]) -> Vec<T> {
    all[all.len().saturating_sub(RECENT)..].to_vec()
}

/// Never 0.
fn entries(scan: &RecordedScan) -> f64 {
    (scan.source.files + scan.source.dirs).max(1) as f64
}

/// Never 0.
fn since_s(from: Timestamp, to: Timestamp) -> f64 {
    ((to.total_ns() - from.total_ns()) as f64 / 1e9).max(1.0)
}

fn work_of(totals: Totals) -> Work {
    Work { files: totals.files as f64, bytes: totals.bytes as f64 }
}

fn totals(work: Work) -> Totals {
    Totals::new(work.files.round() as u64, work.bytes.round() as u128)
}

fn seconds(time_s: f64) -> Duration {
    Duration::try_from_secs_f64(time_s).unwrap_or(Duration::MAX)
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length.is_multiple_of(2) => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
        _ => Some(sorted[middle]),
    }
}

/// The standard deviation of the logarithms of positive values.
fn deviation(values: &[f64], assumed: Assumed) -> f64 {
    if values.len() < 2 {
        return assumed.one;
    }
    let logarithms: Vec<_> = values.iter().map(|value| value.max(f64::MIN_POSITIVE).ln()).collect();
    let mean = logarithms.iter().sum::<f64>() / logarithms.len() as f64;
    let squares = logarithms.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    (squares / (logarithms.len() - 1) as f64).sqrt().clamp(assumed.least, assumed.one.max(1.0))
}

#[cfg(test)]
mod tests;
