//! What a file costs, and what a byte costs.

use super::observed::{BOUND_SHARE, Observed};

/// Files and bytes to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Work {
    pub(super) files: f64,
    pub(super) bytes: f64,
}

/// The time of a file besides its bytes, and of a byte without a limit, at the usual speed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Costs {
    pub(super) file_s: f64,
    pub(super) byte_s: f64,
    information: Information,
}

/// How much is known of the logarithms of both costs: the inverse of their covariance matrix.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Information {
    file: f64,
    both: f64,
    byte: f64,
}

impl Default for Costs {
    fn default() -> Self {
        Self { file_s: ASSUMED_FILE_S, byte_s: ASSUMED_BYTE_S, information: Information::default() }
    }
}

impl Default for Information {
    fn default() -> Self {
        let assumed = UNSEEN_DEVIATION.powi(-2);
        Self { file: assumed, both: 0.0, byte: assumed }
    }
}

/// Assumed until observed.
const ASSUMED_FILE_S: f64 = 0.002;
const ASSUMED_BYTE_S: f64 = 3e-8;
/// The assumptions count like so much observed time.
const ASSUMED_S: f64 = 2.0;
const ROUNDS: usize = 60;
/// The standard deviation of the logarithm of a cost that is assumed.
const UNSEEN_DEVIATION: f64 = 1.2;
/// After so much observed time the standard deviation of what was observed is 1.
const SEEN_S: f64 = 60.0;
/// The bounds of a cost: no division by zero, no infinite time.
const MIN_COST_S: f64 = 1e-15;
const MAX_COST_S: f64 = 1e7;
const MAX_DEVIATION: f64 = 5.0;

impl Costs {
    /// Splits the observed time between files and bytes, each in proportion to what the costs of the last round
    /// explain: the costs stay positive, and after each round they explain all the time that was observed. Where a
    /// limit bounded the rate, a byte costs what the limit says, and nothing is learned about its own cost.
    pub(super) fn of(observed: &[Observed]) -> Self {
        let mut costs = Self::default();
        for _ in 0..ROUNDS {
            let mut information = Information::default();
            let (mut file_s, mut files) = (ASSUMED_S, ASSUMED_S / ASSUMED_FILE_S);
            let (mut byte_s, mut bytes) = (ASSUMED_S, ASSUMED_S / ASSUMED_BYTE_S);
            for one in observed {
                let bound_by = costs.bound_by(one);
                let of_files = one.files * costs.file_s;
                let of_bytes = one.bytes * bound_by.map_or(costs.byte_s, |limit| 1.0 / limit);
                if of_files + of_bytes <= 0.0 {
                    continue;
                }
                let (share, time_s) = (of_files / (of_files + of_bytes), one.weight * one.active_s);
                file_s += time_s * share;
                files += one.weight * one.files;
                information.add(share, bound_by.is_none(), time_s / SEEN_S);
                if bound_by.is_none() {
                    byte_s += time_s * (1.0 - share);
                    bytes += one.weight * one.bytes;
                }
            }
            costs = Self { file_s: bounded(file_s / files), byte_s: bounded(byte_s / bytes), information };
        }
        // What was reached under a limit is possible.
        let fastest = observed.iter().filter(|one| one.bound_by().is_some()).map(|one| one.bytes / one.active_s);
        costs.byte_s = costs.byte_s.min(bounded(1.0 / fastest.fold(0.0, f64::max).max(1.0 / MAX_COST_S)));
        costs
    }

    /// The time of `work` at a speed relative to the usual one.
    pub(super) fn time_s(&self, work: Work, speed: f64, limit_bytes_per_s: Option<f64>) -> f64 {
        let least_byte_s = limit_bytes_per_s.map_or(0.0, |limit| 1.0 / limit);
        work.files * self.file_s / speed + work.bytes * (self.byte_s / speed).max(least_byte_s)
    }

    /// The limit, if it explains the time that the bytes of a sample took.
    pub(super) fn bound_by(&self, one: &Observed) -> Option<f64> {
        one.limit_bytes_per_s.filter(|limit| {
            let least_s = one.files * self.file_s + one.bytes / limit;
            one.bound_by().is_some() || self.byte_s * limit <= 1.0 && least_s >= one.active_s * BOUND_SHARE
        })
    }

    /// Costs that are higher, by so many standard deviations of the time that `work` takes.
    pub(super) fn dearer(self, work: Work, deviations: f64) -> Self {
        let (of_files, of_bytes) = (work.files * self.file_s, work.bytes * self.byte_s);
        let share = of_files / (of_files + of_bytes).max(MIN_COST_S);
        let Information { file, both, byte } = self.information;
        let determinant = (file * byte - both * both).max(f64::MIN_POSITIVE);
        // The covariance matrix times the gradient.
        let along_file = (byte * share - both * (1.0 - share)) / determinant;
        let along_byte = (file * (1.0 - share) - both * share) / determinant;
        let variance = along_file * share + along_byte * (1.0 - share);
        let scale = deviations / variance.max(f64::MIN_POSITIVE).sqrt();
        let factor = |along: f64| (scale * along).clamp(-MAX_DEVIATION, MAX_DEVIATION).exp();
        Self {
            file_s: bounded(self.file_s * factor(along_file)),
            byte_s: bounded(self.byte_s * factor(along_byte)),
            ..self
        }
    }
}

impl Information {
    /// Adds a sample in which files took `share` of the time, with a weight.
    fn add(&mut self, share: f64, shows_bytes: bool, weight: f64) {
        let of_bytes = if shows_bytes { 1.0 - share } else { 0.0 };
        self.file += weight * share * share;
        self.both += weight * share * of_bytes;
        self.byte += weight * of_bytes * of_bytes;
    }
}

fn bounded(cost_s: f64) -> f64 {
    if cost_s.is_nan() { MAX_COST_S } else { cost_s.clamp(MIN_COST_S, MAX_COST_S) }
}
