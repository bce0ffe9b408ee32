//! The metrics of a run, for Prometheus: those of `GET /metrics` and of `--metrics-file`.
//!
//! A counter that continues over runs must never fall: Prometheus takes one that falls for one that began at 0 again,
//! and counts all of it a second time. So such a counter is what the database has committed, over all runs.

mod about;
mod catalog;
mod exposition;
mod file;
mod gather;
mod moment;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use about::About;
pub(crate) use exposition::{Figures, Format};
#[cfg(test)]
pub(crate) use exposition::{Kind, Metric};
pub(crate) use file::{MetricsFile, MetricsPath};
pub(crate) use moment::Ended;
pub(crate) use source::Metrics;
