//! Steers a run: what limit is in force, and whether it is paused.
//!
//! A limit that was set while the run goes on ([`Steering::set_limit`]) comes before the timetable or the single value
//! of `--bwlimit`. A pause comes before both. Times are those of the wall clock, so that what is to end at 18:00 ends at
//! 18:00, also if the clock is set or the machine was suspended.

mod clock;
mod handle;
mod outlook;
mod state;
mod steered;
mod task;
#[cfg(test)]
mod tests;

pub(crate) use handle::Steering;
pub(crate) use outlook::estimator;
#[cfg(test)]
pub(crate) use state::Pause;
pub(crate) use state::{InForce, SetBy};
pub(crate) use task::start;
