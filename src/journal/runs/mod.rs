//! Runs: how each starts and ends.

pub(super) mod decision;
pub(super) mod run;
