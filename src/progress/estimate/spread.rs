//! How far what happened was from what the model says, over stretches of any length.

/// A stretch of time: how long it should have taken, and how long it took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    pub(super) expected_s: f64,
    pub(super) active_s: f64,
}

/// The relative variance of the speed over stretches of growing length.
#[derive(Clone, Debug, Default)]
pub(super) struct Spread {
    /// The length of stretches in seconds, and the variance of their speed; each twice as long as the one before.
    scales: Vec<(f64, f64)>,
}

const SHORTEST_S: f64 = 60.0;
/// The fewest stretches that say how much they differ.
const MIN_STRETCHES: usize = 4;
/// The largest relative variance: a time that is uncertain by a factor of about 5.
const MAX_VARIANCE: f64 = 1.6;

impl Spread {
    /// The variance at each scale is half the mean square of the difference between neighboring stretches (the Allan
    /// variance): unlike the usual one, it does not depend on a mean that drifts.
    pub(super) fn of(stretches: &[Expected]) -> Self {
        let mut scales = Vec::new();
        let mut scale_s = SHORTEST_S;
        loop {
            // A sample of an hour says nothing about the minutes in it.
            let coarse = |one: &Expected| one.active_s > scale_s * 2.0;
            let fine = stretches.iter().rposition(coarse).map_or(0, |last| last + 1);
            let speeds = speeds(&stretches[fine..], scale_s);
            if speeds.len() >= MIN_STRETCHES {
                scales.push((scale_s, variance(&speeds)));
            } else if fine == 0 {
                return Self { scales };
            }
            scale_s *= 2.0;
        }
    }

    /// The variance over a stretch of `time_s`: that of the longest observed scale below it.
    pub(super) fn variance(&self, time_s: f64) -> f64 {
        let Some(&(first_s, first)) = self.scales.first() else { return 0.0 };
        let after = self.scales.partition_point(|(scale_s, _)| *scale_s <= time_s);
        match (after.checked_sub(1).and_then(|at| self.scales.get(at)), self.scales.get(after)) {
            // Between two scales, in proportion.
            (Some(&(below_s, below)), Some(&(above_s, above))) => {
                below + (above - below) * (time_s - below_s) / (above_s - below_s)
            }
            (Some(&(_, longest)), None) => longest,
            _ => first.max(first * first_s / time_s.max(1.0)).min(MAX_VARIANCE),
        }
    }
}

/// The speeds of stretches of `scale_s`.
fn speeds(stretches: &[Expected], scale_s: f64) -> Vec<f64> {
    let (mut speeds, mut expected_s, mut active_s) = (Vec::new(), 0.0, 0.0);
    for one in stretches {
        expected_s += one.expected_s;
        active_s += one.active_s;
        // Samples are not exactly as long as stretches.
        if active_s >= scale_s * 0.9 {
            speeds.push(expected_s / active_s);
            (expected_s, active_s) = (0.0, 0.0);
        }
    }
    speeds
}

fn variance(speeds: &[f64]) -> f64 {
    let mean = speeds.iter().sum::<f64>() / speeds.len() as f64;
    if mean <= 0.0 {
        return MAX_VARIANCE;
    }
    let squares = speeds.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum::<f64>();
    (squares / (2.0 * (speeds.len() - 1) as f64) / (mean * mean)).min(MAX_VARIANCE)
}
