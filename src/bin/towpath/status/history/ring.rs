//! The last steps of equal length.

use std::collections::VecDeque;

use super::interval::Interval;

/// The steps of a ring, and so the most values of a series.
pub(super) const STEPS: usize = 720;

/// The last [`STEPS`] steps in which anything was observed, by the second in which they begin.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    pub(super) step_s: i64,
    steps: VecDeque<(i64, Interval)>,
    /// The end of the last step that was asked for.
    end_s: i64,
}

impl Ring {
    pub(super) fn new(step_s: i64) -> Self {
        Self { step_s, steps: VecDeque::new(), end_s: 0 }
    }

    /// Adds what happened until a second. A clock that goes back adds to the last step.
    pub(super) fn add(&mut self, at_s: i64, interval: &Interval) {
        let start_s = at_s - at_s.rem_euclid(self.step_s);
        match self.steps.back_mut() {
            Some((last_s, last)) if *last_s >= start_s => last.add(interval),
            _ => self.steps.push_back((start_s, *interval)),
        }
        if self.steps.len() > STEPS {
            self.steps.pop_front();
        }
    }

    /// Puts what another ring has before its own steps; a step of both is added up.
    pub(super) fn put_before(&mut self, mut earlier: Self) {
        for (start_s, interval) in std::mem::take(&mut self.steps) {
            earlier.add(start_s, &interval);
        }
        self.steps = earlier.steps;
    }

    /// The steps until a second, from the first one that is known: `None` where nothing was observed.
    pub(super) fn last_steps(&mut self, until_s: i64) -> Vec<Option<Interval>> {
        self.end_s = until_s - until_s.rem_euclid(self.step_s) + self.step_s;
        let oldest_s = self.end_s - self.step_s * STEPS as i64;
        let in_window = |start_s: i64| (oldest_s..self.end_s).contains(&start_s);
        let known: Vec<_> = self.steps.iter().filter(|(start_s, _)| in_window(*start_s)).collect();
        let Some((first_s, _)) = known.first() else { return Vec::new() };
        let index = |start_s: i64| usize::try_from((start_s - first_s) / self.step_s).unwrap_or(0);
        let mut steps = vec![None; index(self.end_s)];
        for (start_s, interval) in known {
            if let Some(step) = steps.get_mut(index(*start_s)) {
                *step = Some(*interval);
            }
        }
        steps
    }

    /// When the first of so many last steps begins.
    pub(super) fn first_s(&self, steps: usize) -> i64 {
        self.end_s - self.step_s * i64::try_from(steps).unwrap_or(0)
    }
}
