//! A scan: its start, its listings and its end.

pub(super) mod census;
pub(super) mod finish;
mod hard_links;
pub(super) mod listing;
mod mounts;
mod names;
mod queue;
pub(super) mod spelling;
pub(super) mod start;
mod unverified;
