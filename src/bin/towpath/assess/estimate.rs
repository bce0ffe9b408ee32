//! How long a migration will take at some limits.

use std::time::Duration;

use super::histogram::Amount;
use towpath::Estimator;

/// Limits that are usual, in bytes per second.
const LIMITS: [(&str, u64); 3] =
    [("100 Mbit/s", 100_000_000 / 8), ("1 Gbit/s", 1_000_000_000 / 8), ("10 Gbit/s", 10_000_000_000 / 8)];

/// What is to be sent, and what each pass costs besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) baseline: Amount,
    /// What changed on the last day: what a pass a day later sends.
    pub(crate) of_a_day: Amount,
    pub(crate) scan: Duration,
}

/// The time at one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Estimate {
    pub(crate) limit: String,
    pub(crate) bytes_per_s: u64,
    pub(crate) baseline: Duration,
    pub(crate) pass: Duration,
}

/// The estimates: at `given`, if there is such a limit, and at usual ones.
pub(crate) fn estimates(work: &Work, given: Option<u64>) -> Vec<Estimate> {
    let given = given.map(|bytes_per_s| (crate::format::rate(bytes_per_s), bytes_per_s));
    let usual = LIMITS.map(|(name, bytes_per_s)| (name.to_owned(), bytes_per_s));
    given
        .into_iter()
        .chain(usual)
        .map(|(limit, bytes_per_s)| Estimate {
            limit,
            bytes_per_s,
            baseline: time(work.baseline, bytes_per_s),
            pass: work.scan.saturating_add(time(work.of_a_day, bytes_per_s)),
        })
        .collect()
}

/// Each file costs as much as the forecast of a run assumes until it has measured it, and each byte what the limit
/// allows.
fn time(amount: Amount, bytes_per_s: u64) -> Duration {
    let files_s = Estimator::FILE_COST.as_secs_f64() * amount.files as f64;
    let bytes_s = amount.bytes as f64 / bytes_per_s.max(1) as f64;
    Duration::try_from_secs_f64(files_s + bytes_s).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_bytes_both_take_time() {
        let amount = |files, bytes| Amount { files, bytes };
        let work = Work {
            baseline: amount(1000, 12_500_000_000),
            of_a_day: amount(500, 125_000_000),
            scan: Duration::from_secs(60),
        };
        let estimates = estimates(&work, Some(1 << 20));
        let [given, slow, ..] = &estimates[..] else { panic!("{estimates:?}") };
        assert_eq!((given.limit.as_str(), estimates.len()), ("1.0 MiB/s", 4));
        assert_eq!((slow.baseline, slow.pass), (Duration::from_secs(1002), Duration::from_secs(71)));
        assert!(estimates.iter().all(|estimate| estimate.pass >= work.scan));
    }
}
