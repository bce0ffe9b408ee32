//! Runs: what each begins with, and how it ended.

pub(super) mod decision;
pub(super) mod run;
